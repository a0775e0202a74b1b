/** Tables as Parquet, a part at a time: images do not fit into memory together. */
import { ByteWriter, type ColumnSource, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';

export interface Column {
  name: string;
  type: 'STRING' | 'BYTE_ARRAY' | 'DOUBLE';
}

export type Cell = string | number | Uint8Array | null;

export class ParquetTable {
  readonly #columns: readonly Column[];
  readonly #bytes = new ByteWriter();
  readonly #table: ParquetWriter;
  readonly #take: (bytes: Uint8Array) => void;

  /** @param take is given the bytes of the file, in order */
  constructor(columns: readonly Column[], take: (bytes: Uint8Array) => void) {
    this.#columns = columns;
    this.#take = take;
    const schema = schemaFromColumnData({ columnData: this.#sources([]) });
    this.#table = new ParquetWriter({ writer: this.#bytes, schema, createdBy: 'assay' });
  }

  /** One row group, of rows in the order of the columns. */
  add(rows: Cell[][]): void {
    const columnData = this.#sources(rows).map(({ type: _, ...source }) => source);
    this.#table.write({ columnData, rowGroupSize: Math.max(1, rows.length) });
    this.#flush();
  }

  end(): void {
    this.#table.finish();
    this.#flush();
  }

  #sources(rows: Cell[][]): ColumnSource[] {
    return this.#columns.map(({ name, type }, i) => ({ name, type, data: rows.map((row) => row[i]!) }));
  }

  #flush(): void {
    this.#take(new Uint8Array(this.#bytes.buffer.slice(0, this.#bytes.index)));
    this.#bytes.index = 0;
  }
}
