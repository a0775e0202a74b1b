/** How a websocket names a study. */
import { z } from 'zod';

export const studyField = z.string().min(1).max(256).describe('id of the study');
