/** The tools, in the order in which agents see them. */
import type { Tool } from './tool.ts';
import { findPrompt } from './tools/find-prompt.ts';
import { listScorers } from './tools/list-scorers.ts';
import { pickBest } from './tools/pick-best.ts';
import { readHistory } from './tools/read-history.ts';
import { scoreImages } from './tools/score-images.ts';
import { searchStatus } from './tools/search-status.ts';
import { startRefinement } from './tools/start-refinement.ts';
import { startSearch } from './tools/start-search.ts';
import { stopSearch } from './tools/stop-search.ts';

export const TOOLS: readonly Tool[] = [
  scoreImages,
  pickBest,
  readHistory,
  findPrompt,
  listScorers,
  startSearch,
  startRefinement,
  searchStatus,
  stopSearch,
];
