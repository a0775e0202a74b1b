/** How a fake host behaves. A test may change any of it while the host runs. */
import type { IncomingMessage } from 'node:http';

/**
 * An answer in place of the host's own: a status and body, or where to go instead, no answer at all, or a connection that breaks. `lose` does
 * what was asked and breaks before it answers.
 */
export type Fault = { status: number; body?: string; to?: string } | 'hang' | 'reset' | 'lose';

export interface Settings {
  /** As /system_stats tells it; null: it does not tell. */
  version: string | null;
  /** The command line that it was started with, as /system_stats tells it. */
  argv: string[];
  /** Whether previews are made. */
  previews: boolean;
  /** Whether a step waits until the client has read what came before, so that a busy machine loses no preview. */
  isPatient: boolean;
  /** Whether POST /api/jobs/{id}/cancel exists. */
  jobs: boolean;
  /** Like versions before September 2025: /interrupt ignores whom it was meant for. */
  interruptsAny: boolean;
  /** How long after the end of a run its history appears; the closing event comes before it. */
  lateHistoryMs: number;
  /** How long after a socket is gone its client id is forgotten, even when another socket has taken it over. */
  lateForgetMs: number;
  /** Called before the closing event of a run. */
  atEnd?: ((id: string) => unknown) | undefined;
  /** Called before each step of AssayTestSteps, which count from 1. */
  atStep?: ((id: string, step: number) => unknown) | undefined;
  /** Whether a request, or a wish for a socket, comes from somebody who may; others get a 401. */
  allows?: ((request: IncomingMessage) => boolean) | undefined;
  /** Asked before every HTTP request; undefined lets it through. */
  fault?: ((method: string, path: string) => Fault | undefined) | undefined;
}

export const DEFAULTS: Settings = {
  version: '0.3.64',
  argv: ['main.py', '--preview-method', 'latent2rgb'],
  previews: true,
  isPatient: false,
  jobs: false,
  interruptsAny: false,
  lateHistoryMs: 0,
  lateForgetMs: 0,
};
