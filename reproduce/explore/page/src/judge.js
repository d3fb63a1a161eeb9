// How a blind session went, judged by what the same guesses would come to if they knew nothing.
//
// Where the learned basis lies is uniform over the slider's places, round by round. So a blind
// guess g misses by |g - u|, u uniform, and the sum over rounds has the convolution of these
// distributions: everything below is exact, whatever rule the guesses follow.

export const PLACES = 200; // steps of the slider; its length is that from a basis to a random one
const NEAR = 0.05; // of the slider: a hit

/** Probabilities of a blind guess' miss, in places. */
function missesOf(guess) {
  const chances = new Float64Array(PLACES + 1);
  for (let place = 0; place <= PLACES; place++) chances[Math.abs(guess - place)] += 1 / (PLACES + 1);
  return chances;
}

function convolve(a, b) {
  const sums = new Float64Array(a.length + b.length - 1);
  for (let i = 0; i < a.length; i++) for (let j = 0; j < b.length; j++) sums[i + j] += a[i] * b[j];
  return sums;
}

/** Compares guesses with where the learned basis was; shares are of the slider's length. */
export function judge(hidden, guesses) {
  const count = guesses.length;
  const misses = guesses.map((guess, i) => Math.abs(guess - hidden[i]));
  const each = guesses.map(missesOf);
  const null_ = each.reduce(convolve); // of the sum of misses
  const total = misses.reduce((a, b) => a + b);
  let below = 0;
  const cumulative = null_.map((p) => (below += p));
  const quantile = (share) => cumulative.findIndex((p) => p >= share) / count / PLACES;
  const near = NEAR * PLACES;
  return {
    misses: misses.map((miss) => miss / PLACES),
    mean_miss: total / count / PLACES,
    chance_miss: null_.reduce((sum, p, miss) => sum + p * miss, 0) / count / PLACES,
    chance_low: quantile(0.025),
    chance_high: quantile(0.975),
    p_value: Math.min(1, cumulative[total]),
    hits: misses.filter((miss) => miss <= near).length,
    chance_hits: each.reduce((sum, chances) => sum + chances.slice(0, near + 1).reduce((a, b) => a + b), 0),
  };
}

/** What an outcome comes to. */
export function headline({ p_value }) {
  return p_value <= 0.05 ? "You found the learned basis better than by chance" : "Your guesses are not distinguishable from blind ones";
}

/** An outcome in words. */
export function sentence(outcome, seen) {
  const percent = (share) => Math.round(100 * share);
  const { misses, mean_miss, chance_miss, chance_low, chance_high, p_value, hits, chance_hits } = outcome;
  const p = p_value < 1e-4 ? "p < .0001" : `p = ${Number(p_value.toPrecision(2))}`;
  const text =
    `You were ${percent(mean_miss)}% of the slider away on average over ${misses.length} rounds. ` +
    `The same guesses made blindly would be ${percent(chance_miss)}% away (${percent(chance_low)} to ` +
    `${percent(chance_high)}% in 95 of 100 such sessions); ${p}. Within ${percent(NEAR)}% of the slider: ` +
    `${hits} of ${misses.length} guesses, by chance ${chance_hits.toFixed(1)}.`;
  return seen ? `${text} You had seen this model's learned axes before. To know them again is memory, not a judgement of them.` : text;
}
