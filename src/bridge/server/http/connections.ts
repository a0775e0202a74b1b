/** Open connections: who they are, how many there may be, and which one goes when there are too many. */
import { readFileSync } from 'node:fs';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Connection {
  /** Requests that are not answered yet; a websocket counts as one. */
  open: number;
  /** When it last had one, by `performance.now`. */
  usedAt: number;
  isWebsocket: boolean;
}

/** File descriptors kept for files, models and the threads. */
const RESERVED_FILES = 128;

/** As many as wanted, or as the limit on open files allows. */
export function allowedConnections(wanted: number): number {
  const limit = openFilesLimit();
  return limit === undefined ? wanted : Math.max(16, Math.min(wanted, limit - RESERVED_FILES));
}

/** The soft limit of the process; undefined where there is none, or it is not told. */
function openFilesLimit(): number | undefined {
  const soft = process.platform === 'linux' ? limitInProc() : limitInReport();
  return Number.isFinite(soft) ? soft : undefined;
}

function limitInProc(): number {
  try {
    return Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
  } catch {
    return Number.NaN; // some containers hide it
  }
}

/** A report waits for all threads: also for one that loads a model. */
function limitInReport(): number {
  if (!process.report) return Number.NaN;
  Object.assign(process.report, { excludeNetwork: true }); // it would look up names
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: unknown } } };
  return Number(userLimits?.open_files?.soft);
}

export class Connections {
  readonly #all = new Map<Socket, Connection>();
  readonly #most: number;

  constructor(http: HttpServer, most: number) {
    this.#most = most;
    http.on('connection', (socket) => this.#opened(socket));
  }

  /** Counts a request that came, until it is answered. @returns how many are open on its connection */
  begin({ socket }: IncomingMessage, response: ServerResponse): number {
    response.once('close', () => this.#count(socket, -1));
    return this.#count(socket, 1);
  }

  /** A websocket is busy until it closes; when all are, the quietest makes room. */
  keep(socket: Socket): void {
    this.#count(socket, 1);
    const connection = this.#all.get(socket);
    if (connection) connection.isWebsocket = true;
  }

  #count(socket: Socket, by: number): number {
    const connection = this.#all.get(socket);
    if (!connection) return 0;
    connection.usedAt = performance.now();
    connection.open += by;
    return connection.open;
  }

  #opened(socket: Socket): void {
    this.#all.set(socket, { open: 0, usedAt: performance.now(), isWebsocket: false });
    socket.once('close', () => this.#all.delete(socket));
    if (this.#all.size > this.#most) (this.#idlest(socket) ?? this.#quietest() ?? socket).destroy();
  }

  /** The one that has had nothing open for longest, but for the newcomer. */
  #idlest(newcomer: Socket): Socket | undefined {
    let idlest: Socket | undefined;
    let since = Number.POSITIVE_INFINITY;
    for (const [socket, { open, usedAt }] of this.#all) {
      if (socket === newcomer || open > 0 || usedAt >= since || socket.destroyed) continue;
      [idlest, since] = [socket, usedAt];
    }
    return idlest;
  }

  /** The websocket that has said least: many that are opened and left alone shut nobody out. */
  #quietest(): Socket | undefined {
    let quietest: Socket | undefined;
    for (const [socket, { isWebsocket }] of this.#all)
      if (
        isWebsocket &&
        !socket.destroyed &&
        socket.bytesRead < (quietest?.bytesRead ?? Number.POSITIVE_INFINITY)
      )
        quietest = socket;
    return quietest;
  }
}
