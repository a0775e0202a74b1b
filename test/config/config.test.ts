import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig, SETTINGS } from '../../src/config.ts';
import { tempFolder } from '../support/files.ts';

function fileWith(content: string | Uint8Array, name = 'config.json'): string {
  const path = join(tempFolder(), name);
  writeFileSync(path, content);
  return path;
}

type Environment = Record<string, string>;
const fromEnv = (env: Environment) => loadConfig({}, undefined, env);

describe('config', () => {
  it('lets flags win over environment, environment over file, file over defaults', () => {
    const file = fileWith('{"port": 1, "threads": 3, "host": "::1", "limits": {"maxItems": 7}}');
    const config = loadConfig({ port: 3, scorer: undefined }, file, {
      ASSAY_PORT: '2',
      ASSAY_HOST: '127.0.0.2',
      ASSAY_LIMITS_MAX_QUEUE: '8',
    });
    expect(config).toMatchObject({ port: 3, host: '127.0.0.2', threads: 3, scorer: 'assay-base' });
    expect(config.limits).toMatchObject({ maxItems: 7, maxQueue: 8, maxSide: 16_384 });
    expect(Object.isFrozen(config.limits)).toBe(true);
    expect(config.notes).toEqual([]);
  });

  it.each<[string, object, Environment, RegExp]>([
    [
      'an unknown key, with the near one',
      { prot: 1 },
      {},
      /flags: prot is 1; expected a known key \(did you mean "port"\?\)/,
    ],
    ['a name that every object has', { toString: 1 }, {}, /flags: toString is 1; expected a known key/],
    ['another', { constructor: 1 }, {}, /flags: constructor is 1; expected a known key/],
    ['an unknown nested key', { limits: { maxPixel: 3 } }, {}, /limits\.maxPixel is 3;.*"maxPixels"/],
    ['an unknown aspect', { policy: { aspects: { qualty: {} } } }, {}, /policy\.aspects\.qualty.*"quality"/],
    [
      'an aspect like no other',
      { policy: { aspects: { beauty: {} } } },
      {},
      /policy\.aspects\.beauty.*known keys: quality, alignment, authenticity/,
    ],
    ['a wrong type', { port: 'x' }, {}, /port is "x"; expected number/],
    ['a value out of range', { port: 70_000 }, {}, /port is 70000; expected/],
    ['an unknown provider', { providers: ['tpu'] }, {}, /providers\.0 is "tpu"; expected one of.*"cuda"/],
    ['a policy beyond its range', { policy: { minReward: 2 } }, {}, /policy\.minReward is 2/],
    [
      'a nested variable',
      {},
      { ASSAY_LIMITS_MAX_ITEMS: '0' },
      /^ASSAY_LIMITS_MAX_ITEMS: limits\.maxItems is 0/,
    ],
    [
      'an element of a variable',
      {},
      { ASSAY_PROVIDERS: 'cpu,tpu' },
      /^ASSAY_PROVIDERS: providers\.1 is "tpu"/,
    ],
  ])('names source, key, value and expectation of %s', (_name, flags, env, message) => {
    expect(() => loadConfig(flags, undefined, env)).toThrow(message);
  });
});

describe('the environment', () => {
  it('has one variable for each setting', () => {
    const names = SETTINGS.map((setting) => setting.variable);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('ASSAY_POLICY_ASPECTS_AUTHENTICITY_MIN_PERCENTILE');
  });

  const SWITCHES: [string, boolean][] = [
    ...['true', 'True', 'TRUE', 'yes', 'Yes', 'on', 'ON', '1', ' on\r'].map((t): [string, boolean] => [
      t,
      true,
    ]),
    ...['false', 'False', 'no', 'NO', 'off', 'Off', '0'].map((t): [string, boolean] => [t, false]),
  ];
  it.each(SWITCHES)('takes %j for %s', (text, value) => {
    expect(fromEnv({ ASSAY_HISTORY: text }).history).toBe(value);
    expect(fromEnv({ ASSAY_POLICY_UNSURE_WITHIN_INTERVAL: text }).policy.unsureWithinInterval).toBe(value);
  });

  it.each(['maybe', '2', 'tru', 'y', 'null', '01', 'true false'])('refuses %j as a switch', (text) => {
    expect(() => fromEnv({ ASSAY_HISTORY: text })).toThrow(
      `ASSAY_HISTORY: history is "${text}"; expected true, yes, on or 1; or false, no, off or 0`,
    );
  });

  it.each(['seven', '1e3', '8_080', '0x10', 'NaN', 'Infinity', '80 80', '8080/tcp', '8,080', '٣', '--1'])(
    'refuses %j as a number',
    (text) => {
      expect(() => fromEnv({ ASSAY_PORT: text })).toThrow(/^ASSAY_PORT: port is ".*"; expected a number/);
    },
  );

  it.each(['7.5', '-1', '99999999999999999999'])('refuses the number %s as a port', (text) => {
    expect(() => fromEnv({ ASSAY_PORT: text })).toThrow(/^ASSAY_PORT: port is [^"]+; expected/);
  });

  it('trims what an env file or a shell leaves around a value', () => {
    const config = fromEnv({
      ASSAY_PORT: ' 8080 ',
      ASSAY_HOST: '\t127.0.0.2\r',
      ASSAY_ALLOWED_HOSTS: ' a.example, b.example,, ',
      ASSAY_ALLOWED_DIRS: '["/with,comma", "/b"]',
      ASSAY_POLICY_ASPECTS_QUALITY_MIN_SCORE: '2.5',
    });
    expect(config).toMatchObject({ port: 8080, host: '127.0.0.2', allowedHosts: ['a.example', 'b.example'] });
    expect(config.allowedDirs).toEqual(['/with,comma', '/b']);
    expect(config.policy.aspects).toEqual({ quality: { minScore: 2.5 } });
  });

  it('refuses quotes that an env file keeps', () => {
    expect(() => fromEnv({ ASSAY_DATA_DIR: '"/data"' })).toThrow(/a value without quotes around it/);
  });

  it('counts blank variables as not set, and says so of a token', () => {
    const config = fromEnv({ ASSAY_PORT: '', ASSAY_HISTORY: ' ', ASSAY_TOKEN: '' });
    expect(config).toMatchObject({ port: 7878, history: true, token: undefined });
    expect(config.notes).toEqual(['ASSAY_TOKEN is blank and counts as not set']);
  });

  it('names unknown variables, with the near one', () => {
    const { notes } = fromEnv({ ASSAY_TREADS: '3', ASSAY_WHATEVER: '1', ASSAY_URL: 'http://x', OTHER: '1' });
    expect(notes).toEqual([
      'ASSAY_TREADS is no setting and was ignored (did you mean ASSAY_THREADS?)',
      'ASSAY_WHATEVER is no setting and was ignored',
    ]);
  });

  it('ignores what an orchestrator sets for a service called assay', () => {
    const { notes, port } = fromEnv({
      ASSAY_PORT: 'tcp://10.0.0.1:7878',
      ASSAY_SERVICE_HOST: '10.0.0.1',
      ASSAY_SERVICE_PORT: '7878',
      ASSAY_SERVICE_PORT_HTTP: '7878',
      ASSAY_PORT_7878_TCP: 'tcp://10.0.0.1:7878',
      ASSAY_PORT_7878_TCP_PROTO: 'tcp',
      ASSAY_PORT_7878_TCP_PORT: '7878',
      ASSAY_PORT_7878_TCP_ADDR: '10.0.0.1',
      ASSAY_TOKEN_PORT: 'tcp://10.0.0.2:1',
      ASSAY_METRICS_PORT_9090_UDP_ADDR: '10.0.0.3',
    });
    expect(port).toBe(7878);
    expect(notes).toEqual([
      'ASSAY_PORT=tcp://10.0.0.1:7878 is what an orchestrator sets for a service, and was ignored',
    ]);
  });
});

describe('the config file', () => {
  it('may begin with a byte order mark', () => {
    expect(loadConfig({}, fileWith('\ufeff{"port": 1, "limits": {}}\r\n'), {}).port).toBe(1);
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    ['cut short', '{', /: line 1, column 2: the JSON ends where } is expected/],
    ['a list', '[1]', /: the top level is not an object/],
    ['empty', ' \n', /: it is empty/],
    ['a comment', '{\n  // the port\n  "port": 1\n}', /: line 2, column 3: JSON has no comments/],
    ['a comment of another kind', '{"port": 1, # here\n}', /: line 1, column 13: JSON has no comments/],
    ['a comma too many', '{\n "port": 1,\n}', /: line 3, column 1: the comma before } is one too many/],
    [
      'a comma too many in a list',
      '{"providers": ["cpu",]}',
      /column 22: the comma before ] is one too many/,
    ],
    ['a comma missing', '{"port": 1\n "threads": 2}', /: line 2, column 2: a comma or } is expected/],
    ['a colon missing', '{"port" 1}', /: line 1, column 9: a colon is expected after "port"/],
    ['single quotes', "{'port': 1}", /: line 1, column 2: texts stand in double quotes/],
    [
      'bare names',
      '{port: 1}',
      /: line 1, column 2: this looks like YAML|names and texts stand in double quotes/,
    ],
    ['a bare word', '{"host": localhost}', /: line 1, column 10: names and texts stand in double quotes/],
    ['True', '{"history": True}', /: line 1, column 13: names and texts/],
    ['a number of JavaScript', '{"port": 0x10}', /: line 1, column 10: this is no number of JSON/],
    ['a path of Windows', '{"dataDir": "C:\\data"}', /: line 1, column 13: this text .*backslash/],
    ['YAML', 'port: 8080\nhost: x\n', /: line 1, column 1: this looks like YAML; Assay reads JSON/],
    ['TOML', 'port = 8080\n', /: line 1, column 1: this looks like TOML or INI/],
    ['a key twice', '{"port": 1,\n "port": 2}', /: line 2, column 2: "port" stands here for the second time/],
    ['two values', '{} {}', /: line 1, column 4: nothing may follow the end/],
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), /: it is saved as UTF-16; save it as UTF-8/],
    ['Latin-1', Buffer.from('{"host": "ü"}', 'latin1'), /: it is no text in UTF-8/],
  ])('says where and why it cannot be read: %s', (_name, content, message) => {
    expect(() => loadConfig({}, fileWith(content), {})).toThrow(message);
  });

  it('reads all that is JSON', () => {
    const { policy } = loadConfig(
      {},
      fileWith('{"policy": {"aspects": {"quality": {"minScore": -1.5e0}}}, "host": "\\u0031\\n\\"é\\\\"}'),
      {},
    );
    expect(policy.aspects.quality).toEqual({ minScore: -1.5 });
  });

  it('has no key that reaches the prototype', () => {
    expect(() => loadConfig({}, fileWith('{"__proto__": {"port": 1}}'), {})).toThrow(
      /__proto__.*a known key/,
    );
  });

  it('says which file is absent', () => {
    expect(() => loadConfig({}, '/nowhere/config.json', {})).toThrow(
      /cannot read the config \/nowhere\/config\.json/,
    );
  });
});

describe('the token', () => {
  const TOKEN = 'correct-horse-battery';

  it('comes from a file, without the line end, and a file that all may read is told', () => {
    const path = fileWith(`${TOKEN}\n`, 'token');
    chmodSync(path, 0o600);
    expect(fromEnv({ ASSAY_TOKEN_FILE: path })).toMatchObject({ token: TOKEN, notes: [] });
    chmodSync(path, 0o644);
    expect(fromEnv({ ASSAY_TOKEN_FILE: path }).notes).toEqual([
      `every user of this machine can read ${path}: chmod 600`,
    ]);
  });

  it('of the higher place wins, whichever way it is given', () => {
    const path = fileWith('from-the-file', 'token');
    const config = fileWith(JSON.stringify({ tokenFile: path }));
    expect(loadConfig({}, config, { ASSAY_TOKEN: TOKEN }).token).toBe(TOKEN);
    expect(loadConfig({ tokenFile: path }, undefined, { ASSAY_TOKEN: TOKEN }).token).toBe('from-the-file');
    expect(() => fromEnv({ ASSAY_TOKEN: TOKEN, ASSAY_TOKEN_FILE: path })).toThrow(
      /either token or tokenFile/,
    );
  });

  it.each([
    ['empty', ''],
    ['short', 'seven77\n'],
    ['two lines', 'first-line\nsecond-line'],
    ['two words', 'two words of it'],
    ['not printable', `${TOKEN}\u0007`],
  ])('is refused when the file is %s, and not repeated', (_name, content) => {
    const path = fileWith(content, 'token');
    const load = () => fromEnv({ ASSAY_TOKEN_FILE: path });
    expect(load).toThrow(/cannot take the token from .*: it must hold one word of at least 8/);
    if (content) expect(load).not.toThrow(content.trim());
  });

  it('is missed when the file is', () => {
    const path = join(tempFolder(), 'none', 'token');
    expect(() => fromEnv({ ASSAY_TOKEN_FILE: path })).toThrow(`from ${path}: ENOENT`);
  });

  it.each([TOKEN, 'aGk/aGk+aGk=', '/aGkaGkaGk', '/aGk/aGkaGk'])(
    'is not repeated where %s was given in place of a file',
    (token) => {
      const load = () => fromEnv({ ASSAY_TOKEN_FILE: token });
      expect(load).toThrow(/the file that tokenFile names.*ENOENT/);
      expect(load).not.toThrow(token);
    },
  );

  const SECRET = 'hunter2';
  it.each<[string, () => unknown]>([
    ['a flag', () => loadConfig({ token: SECRET }, undefined, {})],
    ['a variable', () => fromEnv({ ASSAY_TOKEN: SECRET })],
    ['a variable with quotes', () => fromEnv({ ASSAY_TOKEN: `"${SECRET}"` })],
    ['a file', () => loadConfig({}, fileWith(`{"token": "${SECRET}"}`), {})],
    ['a wrong type', () => loadConfig({}, fileWith(`{"token": ["${SECRET}"]}`), {})],
    ['a wrong type of its file', () => loadConfig({}, fileWith(`{"tokenFile": ["${SECRET}"]}`), {})],
    ['a misspelt key', () => loadConfig({}, fileWith(`{"tokn": "${SECRET}"}`), {})],
    ['a key of another object', () => loadConfig({}, fileWith(`{"comfyui": {"token": "${SECRET}"}}`), {})],
    ['an object', () => loadConfig({}, fileWith(`{"host": {"token": "${SECRET}"}}`), {})],
    ['an address', () => fromEnv({ ASSAY_COMFYUI_URL: `ftp://me:${SECRET}@host/` })],
    ['the query of an address', () => fromEnv({ ASSAY_COMFYUI_URL: `ftp://host/?token=${SECRET}` })],
    ['broken JSON', () => loadConfig({}, fileWith(`{"token": "${SECRET}" "port": 1}`), {})],
  ])('is never repeated in the complaint about %s', (_name, load) => {
    expect(load).toThrow(/expected/);
    expect(load).not.toThrow(SECRET);
  });
});

describe('the address', () => {
  const socket = '/run/assay.sock';

  it('of the higher place wins, a socket or a port', () => {
    const file = fileWith(JSON.stringify({ socket }));
    const ports = fileWith('{"port": 1, "host": "127.0.0.2"}');
    expect(loadConfig({}, file, {}).socket).toBe(socket);
    expect(loadConfig({}, file, { ASSAY_PORT: '2' })).toEqual(loadConfig({ port: 2 }, undefined, {}));
    expect(loadConfig({}, ports, { ASSAY_SOCKET: socket })).toMatchObject({ socket, host: '127.0.0.1' });
    expect(loadConfig({ port: 3 }, ports, {})).toMatchObject({ port: 3, host: '127.0.0.2' });
  });

  it.each<[string, object, Environment, string | undefined]>([
    ['flags', { socket, port: 1 }, {}, undefined],
    ['flags', { socket, host: '127.0.0.1' }, {}, undefined],
    ['environment', {}, { ASSAY_SOCKET: socket, ASSAY_HOST: '0.0.0.0' }, undefined],
    ['config.json', {}, {}, JSON.stringify({ socket, port: 1 })],
  ])('is not a socket and a port in one place: %s', (source, flags, env, content) => {
    const load = () => loadConfig(flags, content === undefined ? undefined : fileWith(content), env);
    expect(load).toThrow(new RegExp(`${source}: (host|port) is .*either a socket, or host and port`));
  });
});

it('no name is passed over because objects have it', () => {
  const file = fileWith('{"comfyui": {"headers": {"__proto__": "x"}}}');
  expect(() => loadConfig({}, file, {})).toThrow(/line 1, column 26: "__proto__" is not a known key/);
});
