/**
 * Where log lines go: stderr, without ever waiting for whoever reads it. What cannot be written at once waits in a
 * bounded buffer; what does not fit in there, and what a full disk or a closed pipe refuses, is dropped and counted.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';

const MAX_WAITING_BYTES = 2 ** 20;
const RETRY_MS = 100;
const STDERR = 2;

/** Writes what it can: bytes taken, or 0 when none can be taken now. Throws when they never will. */
export type Target = (bytes: Buffer) => number;

export interface Sink {
  write(line: string): void;
  /** Lines dropped so far. */
  readonly dropped: number;
}

const notice = (lines: number): string =>
  `${JSON.stringify({
    level: 40,
    time: new Date().toISOString(),
    lines,
    msg: 'log lines were dropped: they could not be written',
  })}\n`;

export function createSink(target: Target = openStderr()): Sink {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let dropped = 0;
  let told = 0;
  let timer: NodeJS.Timeout | undefined;

  const discard = (): void => {
    dropped += waiting.length;
    waiting = [];
    waitingBytes = 0;
  };

  /** True when the whole line is written. */
  const writeFirst = (): boolean => {
    const [line] = waiting as [Buffer, ...Buffer[]];
    const taken = target(line);
    waitingBytes -= taken;
    if (taken < line.length) waiting[0] = line.subarray(taken);
    else waiting.shift();
    return taken === line.length;
  };

  const drain = (): void => {
    timer = undefined;
    try {
      while (waiting.length > 0) if (!writeFirst()) return void later();
      if (dropped === told) return;
      target(Buffer.from(notice(dropped - told)));
      told = dropped;
    } catch {
      discard();
    }
  };
  const later = (): void => {
    timer ??= setTimeout(drain, RETRY_MS).unref();
  };

  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (waitingBytes + bytes.length > MAX_WAITING_BYTES) {
        dropped++;
        return;
      }
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (!timer) drain();
    },
    get dropped() {
      return dropped;
    },
  };
}

/**
 * A pipe or a terminal is opened anew, so that it can be told not to block without telling those who share it. A file
 * never blocks for long. For what cannot be opened anew, such as a socket, there is the stream of the process.
 */
function openStderr(): Target {
  try {
    const stderr = fstatSync(STDERR);
    if (stderr.isFile()) return toDescriptor(STDERR);
    if (process.platform !== 'linux') return toStream();
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return toDescriptor(openSync(`/proc/self/fd/${STDERR}`, O_WRONLY | O_NONBLOCK | O_NOCTTY));
  } catch {
    return toStream();
  }
}

function toDescriptor(fd: number): Target {
  return (bytes) => {
    try {
      return writeSync(fd, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  };
}

function toStream(): Target {
  const { stderr } = process;
  stderr.on('error', () => {}); // its reader is gone
  return (bytes) => {
    if (stderr.writableLength > MAX_WAITING_BYTES) return 0;
    stderr.write(bytes);
    return bytes.length;
  };
}
