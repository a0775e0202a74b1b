/** Whether a calibration says anything of the previews of a study. Pure. */
import type { StudySpec } from '../study/spec.ts';
import { type Calibration, type Subject, usablePoints } from './calibration.ts';

/** What is known of a study before its first preview comes. */
export interface Wanted {
  spec: Pick<StudySpec, 'axes' | 'pick'>;
  workflow: string;
  host: string;
  method: string | null;
  scorer: Pick<Subject['scorer'], 'id' | 'version'>;
  /** What is judged by in place of the workflow's own prompt; null: that. */
  prompt: string | null;
}

/** Why trials cannot be stopped early by it, for people; null: they can. */
export function misfitOf(calibration: Calibration, wanted: Wanted, demand: number): string | null {
  const { subject } = calibration;
  const { spec, scorer, method, prompt } = wanted;
  if (Object.keys(spec.axes).length > 0)
    return `more than the seed is varied (${Object.keys(spec.axes).join(', ')}), and the calibration is of the workflow as it is`;
  if (wanted.host !== subject.host) return `the calibration is of another host (${subject.host})`;
  if (wanted.workflow !== subject.workflow) return 'the calibration is of another workflow';
  if (scorer.id !== subject.scorer.id || scorer.version !== subject.scorer.version)
    return `the calibration is of the scorer ${subject.scorer.id} ${subject.scorer.version}`;
  if (method !== subject.method)
    return `the host makes previews by ${method ?? 'an unknown method'}, and the calibration is of ${subject.method ?? 'an unknown method'}`;
  if (spec.pick.join() !== subject.by)
    return `the calibration is of ${subject.by}, and images are picked by ${spec.pick.join()}`;
  if (prompt !== null && prompt !== subject.prompt) return 'the calibration is of another prompt';
  if (usablePoints(calibration, demand).length > 0) return null;
  const lowers = calibration.points.flatMap(({ interval }) => (interval ? [interval[0]] : []));
  if (lowers.length === 0) return 'too few images had a score for it to be sure of anything';
  const highest = Math.max(...lowers);
  return highest >= demand
    ? 'previews rank as the images do only when nothing is left to spare'
    : `at no step do previews rank as surely as demanded: ${highest.toFixed(2)} at most, and ${demand} is asked for`;
}
