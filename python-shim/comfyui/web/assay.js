/**
 * Draws the verdicts of Assay's nodes: a bar for each percentile, the prediction interval, a badge with the reason.
 * Optional: without it, or on a page whose interface it does not know, the nodes show the same as plain text.
 */
import { app } from '../../scripts/app.js';

const NODES = new Set(['AssayScore', 'AssayGate', 'AssayBest', 'AssayShelf']);
const WIDGET = 'assay_verdicts';
/** The host's own widget for a node's text; ours says the same. */
const TEXT_WIDGET = '$$node-text-preview';
const ROW_PX = 20;
const MAX_PX = 260;
/** The host takes its margins off the height that it is told. */
const MARGINS_PX = 24;
const COLOURS = { good: '#3fa45b', bad: '#c8503c', doubt: '#c79a2b', plain: '#6b7280', bar: '#5b8def' };

/** A new element; text is only ever set as text, since prompts and messages come from anywhere. */
function element(tag, style, text = '') {
  const made = document.createElement(tag);
  Object.assign(made.style, style);
  made.textContent = text;
  return made;
}

const share = (value) => Math.min(1, Math.max(0, value));
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

function colourOf({ label = '', error }) {
  if (error || label.includes('unsure')) return COLOURS.doubt;
  if (label.startsWith('accepted') || label.startsWith('best')) return COLOURS.good;
  return label.startsWith('rejected') ? COLOURS.bad : COLOURS.plain;
}

function badge(verdict) {
  const text = verdict.error ? verdict.label || 'not scored' : verdict.label;
  if (!text) return [];
  const style = {
    background: colourOf(verdict),
    color: '#fff',
    borderRadius: '3px',
    padding: '0 4px',
    flex: 'none',
  };
  return [element('span', style, String(text))];
}

/** Percentile as the filled part; the interval, in the range of the score, as a line below it. */
function bar(aspect, { score, range, percentile, interval }) {
  const box = element('span', { position: 'relative', flex: '1 1 40px', minWidth: '40px', height: '12px' });
  box.style.background = '#8883';
  box.title = `${aspect} ${score.toFixed(2)}`;
  if (isNumber(percentile)) {
    const width = `${share(percentile) * 100}%`;
    box.append(
      element('span', { position: 'absolute', inset: '0 auto 0 0', width, background: COLOURS.bar }),
    );
    box.title += `, better than ${Math.round(percentile * 100)} %`;
  }
  if (Array.isArray(range) && Array.isArray(interval) && range[1] > range[0]) {
    const [low, high] = interval.map((value) => share((value - range[0]) / (range[1] - range[0])) * 100);
    const line = { position: 'absolute', bottom: '0', height: '2px', background: 'currentColor' };
    box.append(element('span', { ...line, left: `${low}%`, width: `${Math.max(1, high - low)}%` }));
    box.title += `, between ${interval[0].toFixed(2)} and ${interval[1].toFixed(2)}`;
  }
  const words = { position: 'absolute', inset: '0', fontSize: '9px', lineHeight: '12px', padding: '0 3px' };
  box.append(element('span', { ...words, overflow: 'hidden' }, `${aspect.slice(0, 4)} ${score.toFixed(2)}`));
  return box;
}

function row(verdict, place) {
  const made = element('div', { display: 'flex', gap: '4px', alignItems: 'center', height: `${ROW_PX}px` });
  made.append(element('span', { flex: 'none', opacity: '0.7' }, `#${place}`), ...badge(verdict));
  for (const [aspect, figures] of Object.entries(verdict.aspects ?? {}))
    if (isNumber(figures?.score)) made.append(bar(aspect, figures));
  if (isNumber(verdict.reward)) made.append(element('span', { flex: 'none' }, verdict.reward.toFixed(2)));
  const reasons = (verdict.reasons ?? []).join('; ');
  const cut = {
    flex: '1 2 0',
    minWidth: '0',
    overflow: 'hidden',
    textOverflow: 'ellipsis',
    whiteSpace: 'nowrap',
  };
  if (reasons) made.append(element('span', cut, reasons));
  made.title = reasons;
  return made;
}

function widgetOf(node) {
  const known = node.widgets?.find((widget) => widget.name === WIDGET);
  if (known) return known;
  const box = element('div', {
    font: '11px sans-serif',
    overflowY: 'auto',
    color: 'var(--input-text, #ddd)',
  });
  const height = () => Math.min(MAX_PX, Math.max(1, box.childElementCount) * ROW_PX + MARGINS_PX);
  return node.addDOMWidget(WIDGET, WIDGET, box, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: height,
    getMaxHeight: height,
    getValue: () => '',
    setValue: () => {},
  });
}

function withoutText(node) {
  const index = node.widgets?.findIndex((widget) => widget.name === TEXT_WIDGET) ?? -1;
  if (index < 0) return;
  node.widgets[index].onRemove?.();
  node.widgets.splice(index, 1);
}

function draw(node, verdicts) {
  if (!Array.isArray(verdicts) || verdicts.length === 0 || typeof node.addDOMWidget !== 'function') return;
  const box = widgetOf(node).element;
  box.replaceChildren(...verdicts.map(row));
  withoutText(node);
  const [width, height] = node.computeSize?.() ?? node.size;
  node.setSize?.([Math.max(node.size[0], width, 320), Math.max(node.size[1], height)]);
  node.setDirtyCanvas?.(true, true);
}

app?.registerExtension?.({
  name: 'assay.verdicts',
  nodeCreated(node) {
    if (!NODES.has(node?.comfyClass)) return;
    const before = node.onExecuted;
    node.onExecuted = function (output, ...rest) {
      before?.call(this, output, ...rest);
      try {
        draw(this, output?.assay);
      } catch (error) {
        console.debug('Assay draws nothing on this page:', error);
      }
    };
  },
});
