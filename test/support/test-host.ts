/** What a test can ask of any host, fake or real. */
export interface TestHost {
  readonly url: string;
  /** Holds output, input, temp and, of a real one, what else it has. */
  readonly baseDir: string;
  readonly outputDir: string;
  /** Ends it and starts it again at the same address; history and temp files are gone, outputs stay. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}
