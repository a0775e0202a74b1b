/** A websocket client of the daemon, as thin as a client can be: many requests in flight, answers by id. */
import { once } from 'node:events';
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';
import type { ScoreResult } from '../types/result.ts';

/** For scorers that judge nothing without one. */
const PROMPT = 'a picture';

const packr = new Packr({ useRecords: false });

export interface Client {
  /** Scores one raw RGB image of `size × size`. */
  score(data: Uint8Array, size: number): Promise<ScoreResult>;
  close(): void;
}

/** Connects to `http://…`. */
export async function connect(url: string): Promise<Client> {
  // On loopback a mask protects nothing; zeros spare both sides the work.
  const generateMask = (mask: Buffer) => void mask.fill(0);
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'assay.v1.msgpack', { generateMask });
  const waiting = new Map<string, PromiseWithResolvers<ScoreResult>>();
  await once(socket, 'open');
  socket.on('message', (data: Buffer) => {
    const answer = packr.unpack(data);
    const request = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.ok) request?.resolve(answer.results[0]);
    else request?.reject(new Error(answer.error.message));
  });
  socket.on('close', () => {
    for (const request of waiting.values()) request.reject(new Error('the daemon closed the connection'));
  });
  let next = 0;
  return {
    score(data, size) {
      const id = String(next++);
      const request = Promise.withResolvers<ScoreResult>();
      waiting.set(id, request);
      const items = [{ id, prompt: PROMPT, image: { format: 'rgb8', width: size, height: size, data } }];
      socket.send(packr.pack({ id, op: 'score', items }));
      return request.promise;
    },
    close: () => socket.close(),
  };
}
