/** The routes: one row each. What is not here is not found. */
import { description } from './description.ts';
import { greeting } from './greeting.ts';
import { health } from './health.ts';
import { history } from './history.ts';
import { metricsPage } from './metrics-page.ts';
import { monitor } from './monitor.ts';
import { profiles } from './profiles.ts';
import { prompt } from './prompt.ts';
import { rank } from './rank.ts';
import { readiness } from './readiness.ts';
import { rejects } from './rejects.ts';
import { release } from './release.ts';
import { rewards } from './rewards.ts';
import type { Route } from './route.ts';
import { score } from './score.ts';
import { scorers } from './scorers.ts';
import { ask } from './studies/ask.ts';
import { begin } from './studies/begin.ts';
import { state } from './studies/state.ts';
import { tell } from './studies/tell.ts';

export const ROUTES: readonly Route[] = [
  score,
  rewards,
  rank,
  profiles,
  monitor,
  prompt,
  scorers,
  release,
  rejects,
  history,
  begin,
  state,
  ask,
  tell,
  health,
  readiness,
  metricsPage,
  description,
  greeting,
];
