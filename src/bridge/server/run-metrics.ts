/** Prometheus metrics of training runs: one series a run, for as long as the monitor knows it. */
import { Gauge, type Registry } from 'prom-client';
import type { RunReport } from '../../types/run.ts';
import type { Service } from '../../types/service.ts';

type Read = (run: RunReport) => number | null | undefined;

const GAUGES: Record<string, [help: string, read: Read]> = {
  assay_run_images: ['Images that were rewarded', (run) => run.images],
  assay_run_reward: ['Mean reward of the latest images', ({ recent }) => recent.reward],
  assay_run_reward_within_groups: [
    'Mean standard deviation of the rewards within groups',
    ({ recent }) => recent.withinGroups,
  ],
  assay_run_zero_variance: [
    'Share of the groups whose rewards are equal',
    ({ recent }) => recent.zeroVariance,
  ],
  assay_run_duplicates: [
    'Share of the latest images that equal another one',
    ({ recent }) => recent.duplicates,
  ],
  assay_run_guarded: ['Share of the latest images with a guard', ({ recent }) => recent.guarded],
  assay_run_missing: [
    'Share of the latest images without a reward of their own',
    ({ recent }) => recent.missing,
  ],
  assay_run_saturation: ['Mean saturation of the latest images', ({ recent }) => recent.colour?.saturation],
  assay_run_colourfulness: [
    'Mean colourfulness of the latest images',
    ({ recent }) => recent.colour?.colourfulness,
  ],
  assay_run_saturation_drift: [
    'How far it is from that of the first images, in their standard deviations',
    ({ drift }) => drift?.saturation,
  ],
  assay_run_colourfulness_drift: [
    'How far it is from that of the first images, in their standard deviations',
    ({ drift }) => drift?.colourfulness,
  ],
  assay_run_held_out: ['Mean held-out score of the latest groups', ({ heldOut }) => heldOut?.score],
  assay_run_agreement: [
    'Share of pairs within groups that reward and held-out score put in the same order',
    ({ heldOut }) => heldOut?.agreement,
  ],
  assay_run_judged_groups: ['Groups that the held-out scorer has judged', ({ heldOut }) => heldOut?.judged],
  assay_run_warnings: [
    'Warnings that the reward is being gamed, of those that are kept',
    ({ warnings }) => warnings.length,
  ],
};

const labelsOf = ({ run, profile }: RunReport) => ({ run, profile: profile ?? '' });

/** The runs are asked for anew with each page, once for all gauges: when the first of them is. */
export function addRunGauges(registry: Registry, service: Pick<Service, 'monitor'>): void {
  const registers = [registry];
  const labelNames = ['run', 'profile'];
  const collect = (): void => set(gauges, scores, service.monitor().runs);
  const gauges: { read: Read; gauge: Gauge }[] = Object.entries(GAUGES).map(([name, [help, read]], i) => ({
    read,
    gauge: new Gauge<string>({ name, help, labelNames, registers, ...(i === 0 && { collect }) }),
  }));
  const scores = new Gauge({
    name: 'assay_run_score',
    help: 'Mean score of the latest images, by scorer and aspect',
    labelNames: [...labelNames, 'aspect'],
    registers,
  });
}

/** Runs that are known no more leave the page. */
function set(gauges: { read: Read; gauge: Gauge }[], scores: Gauge, runs: RunReport[]): void {
  for (const { gauge } of gauges) gauge.reset();
  scores.reset();
  for (const run of runs) {
    for (const { read, gauge } of gauges) {
      const value = read(run);
      if (typeof value === 'number') gauge.set(labelsOf(run), value);
    }
    for (const [aspect, score] of Object.entries(run.recent.aspects))
      scores.set({ ...labelsOf(run), aspect }, score);
  }
}
