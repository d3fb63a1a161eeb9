/** Answers as the CSV file that the collector would export. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

const COLUMNS = "rater,list,trial,item,chosen,rejected,side,rt_ms,name,simulated";

/** A text as a field: a spreadsheet must not run it as a formula, nor a comma split it. */
function field(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The CSV file of one rater's session state. */
export function csvOf({ rater, list, answers }) {
  const rows = Object.entries(answers)
    .sort(([a], [b]) => a - b)
    .map(([trial, a]) =>
      [rater, list, trial, a.item, a.chosen, a.rejected, a.side, a.rt_ms, field(a.name), "false"].join(","),
    );
  return [COLUMNS, ...rows, ""].join("\n");
}

/** The head of the file's SHA-256, as `sha256sum` prints it: whoever has the file can check it. */
export const codeOf = (csv) => bytesToHex(sha256(utf8ToBytes(csv))).slice(0, 10);
