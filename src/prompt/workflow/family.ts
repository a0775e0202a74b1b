/** What a rule can say about a family of nodes. The rules are in families.ts. */
import type { Node, Side } from './graph.ts';

/** Reads the inputs of a node that makes a text. */
export interface Reader {
  node: Node;
  side: Side;
  /** Number of the output that is asked for. */
  output: number;
  /** Text of an input, links followed; empty when there is none. @throws Unknowable */
  text(name: string): string;
  /** A number, a switch or a choice; links to constants are followed. @throws Unknowable when it is made at run time */
  value(name: string): unknown;
  /** Counts costly work. @throws Unknowable when too much was done */
  spend(steps: number): void;
  /** Names of the inputs that are there, in the order of their numbers or letters. */
  names(pattern: RegExp): string[];
}

/** Inputs by side; one list is for either. */
export type Sides = readonly string[] | Readonly<Record<Side, readonly string[]>>;

/** One row: all the fields beside the first two are answers to different questions, and most rows give one. */
export interface Family {
  /** For people: the page of the docs lists it. */
  family: string;
  /** Class names, or a pattern of them. */
  classes: readonly string[] | RegExp;

  // as a conditioning
  /** Text inputs that its conditioning is made of. */
  encodes?: Sides;
  /** Inputs whose conditionings it puts together or hands on. */
  passes?: readonly string[] | ((read: Reader) => readonly string[]);
  /** It hands on both sides: the numbers of its outputs. */
  pair?: Readonly<Record<Side, number>>;
  /** Its conditioning says nothing. */
  silent?: true;

  // as a text
  says?: (read: Reader) => string;
  /** Its text is made when the graph runs: why. */
  unknowable?: string;
  /** Part of the text is not in the graph: what. */
  partly?: (read: Reader) => string | null;

  // as a switch, whatever it switches
  /** The input that it lets through; null when it lets none through. */
  picks?: (read: Reader) => string | null;

  // as an image
  /** Its picture is made from these texts. */
  draws?: Sides;
  /** `blends`: one picture of several. `lists`: several pictures. */
  mixes?: 'blends' | 'lists';
  /** Its own prompt is for a part of the picture, or for its finish. `finish`: it counts when there is no other. */
  retouches?: 'part' | 'finish';
  /** Its picture comes from elsewhere: what it is. */
  loads?: string;
}

export const sideOf = (sides: Sides, side: Side): readonly string[] =>
  Array.isArray(sides) ? sides : (sides as Record<Side, readonly string[]>)[side];
