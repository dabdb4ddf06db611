// Shapes of the HTTP API's answers, as far as the pages read them.
import type { Labels } from '../format/labels';

export type { Labels };

/** `[seconds, value]` */
export type SamplePair = [number, string];

/** A native histogram as the API writes it. */
export interface HistogramValue {
  count: string;
  sum: string;
  buckets?: Array<[number, string, string, string]>;
}

export interface InstantSeries {
  metric: Labels;
  value?: SamplePair;
  histogram?: [number, HistogramValue];
}

export interface RangeSeries {
  metric: Labels;
  values?: SamplePair[];
  histograms?: Array<[number, HistogramValue]>;
}

/** A part of an expression and what it cost; Prometheus has no such answer. */
export interface ExplainedNode {
  node: string;
  text: string;
  series: number;
  samples: number;
  points: number;
  selfSeconds: number;
  totalSeconds: number;
  selectSeconds?: number;
  children: ExplainedNode[];
}

export interface QueryStats {
  timings: Record<string, number>;
  samples: { totalQueryableSamples: number; samplesRead?: number; peakSamples: number };
}

/** What an answer tells of the query where that is asked for. */
interface QueryCost {
  stats?: QueryStats;
  explain?: ExplainedNode;
}

export type QueryData = QueryCost &
  (
    | { resultType: 'vector'; result: InstantSeries[] }
    | { resultType: 'matrix'; result: RangeSeries[] }
    | { resultType: 'scalar'; result: SamplePair }
    | { resultType: 'string'; result: SamplePair }
  );

export interface Target {
  discoveredLabels: Labels;
  labels: Labels;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: string;
  scrapeInterval?: string;
  scrapeTimeout?: string;
}

/** A relabelling rule, in the words of the configuration. */
export interface RelabelRule {
  action: string;
  source_labels?: string[];
  separator: string;
  regex: string;
  modulus?: number;
  target_label?: string;
  replacement: string;
}

/** What one rule made of a target's labels; nothing is left behind the one that drops it. */
export interface RelabelStep {
  rule: RelabelRule;
  output: Labels;
  keep: boolean;
}

export interface DroppedTarget {
  discoveredLabels: Labels;
  scrapePool?: string;
}

export interface Targets {
  activeTargets: Target[];
  droppedTargets?: DroppedTarget[] | null;
  droppedTargetCounts?: Record<string, number> | null;
}

/** Who scrapes what, where several shards share their targets. */
export interface Sharding {
  name: string;
  state: string;
  replicationFactor: number;
  takeoverAfterSeconds: number;
  members: ShardingMember[];
  targets: SharedTarget[];
  targetCount: number;
}

export interface ShardingMember {
  name: string;
  /** Empty for the shard that answers. */
  url: string;
  state: string;
  lastAnswerSeconds: number | null;
  lastError: string;
  serving: string[];
  targetCount: number;
}

export interface SharedTarget {
  scrapePool: string;
  labels: Labels;
  scrapeUrl: string;
  owners: string[];
  isHere: boolean;
}

export interface Alert {
  labels: Labels;
  annotations: Labels;
  state: string;
  activeAt?: string;
  keepFiringSince?: string;
  value: string;
}

export interface Rule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  duration?: number;
  keepFiringFor?: number;
  labels?: Labels | null;
  annotations?: Labels | null;
  alerts?: Alert[] | null;
  state?: string;
  health: string;
  lastError?: string;
  evaluationTime: number;
  lastEvaluation: string;
}

export interface RuleGroup {
  name: string;
  file: string;
  rules: Rule[];
  interval: number;
  evaluationTime: number;
  lastEvaluation: string;
}

export interface Rules {
  groups: RuleGroup[];
}

export interface Replica {
  url: string;
  replica: string;
  state: string;
  protocol: string;
  lastPull: string;
  lastPullDurationSeconds: number | null;
  lastPullSamples: number | null;
  newestSample: string;
  freshnessSeconds: number | null;
  clockAheadSeconds: number | null;
  gapFrom: string;
  gapUntil: string;
  lastError: string;
}

export interface Shard {
  name: string;
  replicas: Replica[];
}

export interface Block {
  ulid: string;
  minTime: number;
  maxTime: number;
  series: number;
  samples: number;
  bytes: number;
  resolution: number;
  labels: Labels;
}

export interface Bucket {
  url: string;
  blocks: Block[];
  lastUpload: string;
  lastError: string;
}

export interface Hierarchy {
  shards: Shard[];
  bucket: Bucket | null;
}

/** What a global holds, beside what its peer does. */
export interface Consistency {
  own: { name: string };
  /** Empty where there is none. */
  peerUrl: string;
  peer: { name: string } | null;
  peerError: string;
  distanceSeconds: number | null;
  /** Times in milliseconds. */
  windows: { from: number; until: number; agrees: boolean }[];
  agrees: boolean | null;
}

export interface BuildInfo {
  version: string;
  revision?: string;
  tier?: string;
  [name: string]: string | undefined;
}

export interface TsdbStatus {
  headStats?: Record<string, number>;
  [name: string]: unknown;
}
