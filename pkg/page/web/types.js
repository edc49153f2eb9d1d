/**
 * What the page is given, as package page writes it (head.go). Types alone: no other module needs this one to run.
 * All text is plain text. Times are in µs since the start of the run, durations in µs.
 *
 * @typedef {object} Head
 * @property {number} version
 * @property {string} program
 * @property {"run" | "compare" | "sweep"} kind
 * @property {string} title
 * @property {Run[]} runs
 * @property {Difference[]} [differences]
 * @property {Sweep} [sweep]
 *
 * @typedef {object} Run
 * @property {string} name
 * @property {string} dir
 * @property {Verdict} verdict
 * @property {Finding[]} findings
 * @property {[string, string][]} facts labels and values
 * @property {string} again the command that does it again, "" where it is not known
 * @property {number} startUnixMicro
 * @property {number} duration
 * @property {boolean} virtual
 * @property {Machine[]} machines those that have a log
 * @property {number[]} foreign those without one
 * @property {Span[]} spans
 * @property {string} left what the page leaves out, and how to see it
 * @property {Columns} columns
 * @property {number[]} first position of the first event kept, by machine
 * @property {Series[]} series
 * @property {Histogram[]} histograms
 * @property {Table[]} tables
 * @property {Record<string, string>} text what each chart shows, in words
 *
 * @typedef {object} Verdict
 * @property {string} state correct, incomplete, broken
 * @property {string} text
 * @property {string[]} [details]
 *
 * @typedef {object} Finding
 * @property {string} text
 * @property {number} [machine] place in Run.machines
 * @property {number} [from]
 * @property {number} [to]
 *
 * @typedef {object} Machine
 * @property {number} id
 * @property {string} rate
 * @property {number | null} ticksPerSecond
 * @property {number} color
 * @property {number} events in the page
 * @property {string} file
 * @property {boolean} missing
 * @property {LogRecord[]} records
 *
 * @typedef {object} LogRecord
 * @property {"start" | "pause" | "resume" | "stop"} kind
 * @property {number} line
 * @property {number} t
 * @property {number} after position of the event before it, -1: none
 * @property {string} text
 *
 * @typedef {object} Span
 * @property {string} kind
 * @property {number[]} machines
 * @property {number} from
 * @property {number} to
 * @property {string} text
 *
 * @typedef {object} Columns
 * @property {number} bytes
 * @property {number} checkpointEvery
 * @property {Section[]} sections
 *
 * @typedef {object} Section
 * @property {string} name
 * @property {number} machine place in Run.machines
 * @property {number} offset
 * @property {number} bytes
 * @property {number} count
 *
 * @typedef {object} Series for each of its instants the least and the greatest value in the time up to the next
 * @property {string} name
 * @property {number} machine
 * @property {string} unit
 * @property {number} t0
 * @property {number} dt
 * @property {[string, string]} sections names of the columns of the least and the greatest values
 * @property {number} scale value of a 1 in the columns
 *
 * @typedef {object} Histogram
 * @property {string} name
 * @property {number} machine
 * @property {string} unit
 * @property {string[]} labels
 * @property {number[]} counts
 *
 * @typedef {object} Table
 * @property {string} title
 * @property {string[]} columns
 * @property {string[][]} rows
 * @property {number} [keys] how many columns say what a row is about
 * @property {string} [note]
 *
 * @typedef {object} Difference
 * @property {[number, number]} runs
 * @property {string} text
 * @property {{machine: number, position: number}[]} at one for each of runs; position -1: none
 *
 * @typedef {object} Sweep
 * @property {string} headline
 * @property {string} constants
 * @property {string[]} [legend]
 * @property {Verdict} verdict
 * @property {string} [pace]
 * @property {{text: string}[]} findings
 * @property {string} again
 * @property {{title: string, lines: string[]}[]} sections the findings in full
 * @property {Parameter[]} parameters those that are varied
 * @property {Measure[]} measures
 * @property {Point[]} points
 * @property {SweepRun[]} runs
 * @property {Table[]} tables
 *
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string[]} values
 * @property {number[] | null} [numbers] the values, where they are numbers
 *
 * @typedef {object} Measure
 * @property {string} name
 * @property {string} label
 * @property {string} [unit]
 * @property {string} [group]
 * @property {string} [predicted] name of the measure that predicts this one
 *
 * @typedef {object} Point
 * @property {number} number
 * @property {number[]} at place of its value, by parameter
 * @property {number} runs
 * @property {PointClass[]} classes
 *
 * @typedef {object} PointClass
 * @property {string} name
 * @property {(Interval | null)[]} values by measure
 *
 * @typedef {object} Interval
 * @property {number | null} mean
 * @property {number | null} [half]
 *
 * @typedef {object} SweepRun
 * @property {string} name
 * @property {number} point
 * @property {number} trial
 * @property {string} seed
 * @property {string} verdict
 * @property {number} events
 * @property {string} page where its own page is, relative to this one; "": it has none
 */
