#!/usr/bin/env node
/**
 * Whether this Node can run the rest. Nothing is imported for that, and nothing is written that an old one could
 * stumble over: it would end with a SyntaxError before it could say why.
 */
const NEEDED = [22, 13];
const found = process.versions.node.split('.').map(Number);
const isOld = found[0]! < NEEDED[0]! || (found[0] === NEEDED[0] && found[1]! < NEEDED[1]!);

if (isOld) {
  process.stderr.write(`assay: needs Node ${NEEDED.join('.')} or newer, this is ${process.versions.node}\n`);
  process.exitCode = 2;
} else {
  void import('./process/begin.ts');
}
