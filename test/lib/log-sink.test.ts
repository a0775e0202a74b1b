import { describe, expect, it } from 'vitest';
import { createSink, type Target } from '../../src/lib/log-sink.ts';

/** A reader that takes so many bytes until it is told to take more. */
function reader(room: number) {
  const read: Buffer[] = [];
  const state = { room, text: () => Buffer.concat(read).toString() };
  const target: Target = (bytes) => {
    const taken = Math.min(state.room, bytes.length);
    state.room -= taken;
    read.push(Buffer.from(bytes.subarray(0, taken)));
    return taken;
  };
  return { state, target };
}

describe('log lines', () => {
  it('are written at once, in order', () => {
    const { state, target } = reader(1e6);
    const sink = createSink(target);
    sink.write('one\n');
    sink.write('two\n');
    expect(state.text()).toBe('one\ntwo\n');
  });

  it('wait for a slow reader, and are whole when it goes on', async () => {
    const { state, target } = reader(6);
    const sink = createSink(target);
    const lines = ['one\n', 'zwei ü\n', 'three\n'];
    for (const line of lines) sink.write(line);
    expect(Buffer.byteLength(state.text())).toBe(6);
    state.room = 1e6;
    await expect.poll(state.text).toBe(lines.join(''));
    expect(sink.dropped).toBe(0);
  });

  it('of which too many wait are dropped, and counted once there is room', async () => {
    const { state, target } = reader(0);
    const sink = createSink(target);
    const line = `${'x'.repeat(999)}\n`;
    for (let i = 0; i < 3000; i++) sink.write(line);
    expect(sink.dropped).toBe(3000 - Math.floor(2 ** 20 / 1000));
    state.room = 1e7;
    await expect.poll(state.text).toContain('were dropped');
    const last = JSON.parse(state.text().trim().split('\n').at(-1)!);
    expect(last).toMatchObject({ level: 40, lines: sink.dropped });
    sink.write('later\n');
    expect(state.text().endsWith('}\nlater\n')).toBe(true);
  });

  it('that are refused are dropped and counted, until they are taken again', () => {
    const { state, target } = reader(1e6);
    let full = true;
    const sink = createSink((bytes) => {
      if (full) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      return target(bytes);
    });
    sink.write('one\n');
    sink.write('two\n');
    full = false;
    sink.write('three\n');
    expect(state.text()).toMatch(/^three\n\{.*"lines":2,.*\}\n$/);
  });
});

it('memory stays while nothing is taken', () => {
  const sink = createSink(() => 0);
  const line = `${'x'.repeat(99_999)}\n`;
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 5000; i++) sink.write(line);
  expect(sink.dropped).toBe(4990);
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
});
