// The search for the step along a direction that changes images by an energy.

const MAX_STEP = 3; // prior standard deviations
const LONGEST = 1; // by which a search goes on at once
const QUANTUM = 0.1 / 2 ** 10; // the server's bisections end at its multiples
const RESOLUTION = 0.1; // and it looks at energies on a grid of that spacing first
const TOLERANCE = 5e-4; // of a step: far less than what a byte of a pixel tells apart
const MAX_TURNS = 20;
const PATIENCE = 4; // turns until every other one halves what is left

export const REACH = 3; // frames on either side of a strip's middle one
export const UNKNOWN = { step: 0.5 }; // what is guessed where nothing is known

/**
 * Searches the smallest step at which the root of the energy, which is nearly linear, reaches a target.
 *
 * It asks for frames, [number from the middle or 0 for none, step] pairs, and is given the root at
 * each: first for the strip's ends, until the target is expected where they were looked at last; then
 * for those between, and wherever the target might have been reached before. Where it was, the search
 * goes on there.
 *
 * guess: {step, slope}, about where, and how fast the root grows there, if that is known. Returns the
 * same as it was found, and whether the direction is dead: the target out of reach.
 */
export function* search(target, guess) {
  const known = [[0, 0]]; // steps and their roots, in ascending order of steps
  const learn = (steps, roots) => {
    steps.forEach((step, i) => known.push([step, roots[i]]));
    known.sort(([a], [b]) => a - b);
  };
  let expected = guess.step;
  const isPassed = () => known.some(([step, root]) => root >= target && step < expected);
  for (let turn = 0; ; turn++) {
    const step = expected;
    const [root] = yield [[REACH, step]];
    learn([step], [root]);
    if (turn === 0 && guess.slope) expected = expectedStep(known, target, step + (target - root) / guess.slope);
    else expected = expectedStep(known, target, turn > PATIENCE && turn % 2 ? middle(known, target) : undefined);
    if (Math.abs(expected - step) > TOLERANCE * step && turn < MAX_TURNS) continue;
    const between = Array.from({ length: REACH - 1 }, (_, i) => [i + 1, (expected * (i + 1)) / REACH]);
    learn(between.map(([, one]) => one), yield between);
    for (let doubt; !isPassed() && (doubt = doubtfulStep(known, target, expected)); ) learn([doubt], yield [[0, doubt]]);
    if (!isPassed()) return result(known, target, expected);
    expected = expectedStep(known, target);
    turn = 0;
  }
}

function result(known, target, expected) {
  const dead = expected === MAX_STEP && known.every(([, root]) => root < target);
  const after = known.findIndex(([step]) => step >= expected);
  const [low, high] = after < 0 ? known.slice(-2) : known.slice(after - 1, after + 1);
  if (dead) return { dead, step: MAX_STEP };
  return { dead, step: QUANTUM * Math.ceil(expected / QUANTUM), slope: (high[1] - low[1]) / (high[0] - low[0]) };
}

/** What is known before and after the target is reached first; the latter is undefined before it is. */
function bracket(known, target) {
  const after = known.findIndex(([, root]) => root >= target);
  return after < 0 ? [known.at(-1)] : [known[after - 1], known[after]];
}

function middle(known, target) {
  const [low, high] = bracket(known, target);
  return high && (low[0] + high[0]) / 2;
}

/** Where the target is expected to be reached first: as proposed, or by what is known, if that can be. */
function expectedStep(known, target, proposed) {
  const [low, high] = bracket(known, target);
  const most = high ? high[0] : Math.min(low[0] + LONGEST, MAX_STEP);
  const at = known.indexOf(high ?? low);
  const near = known.slice(Math.max(0, at - 2), at + 2);
  const grows = near.every(([, root], i) => i === 0 || root > near[i - 1][1]);
  const proposals = [proposed, grows && interpolate(near, target), high && interpolate([low, high], target)];
  return Math.min(proposals.find((one) => one > low[0] && (one <= most || !high)) ?? most, most);
}

/** The step at a root, by the polynomial through the steps of known ones (Neville's algorithm). */
function interpolate(known, target) {
  const steps = known.map(([step]) => step);
  for (let order = 1; order < known.length; order++) {
    for (let i = 0; i + order < known.length; i++) {
      const [left, right] = [known[i][1], known[i + order][1]];
      steps[i] = ((target - right) * steps[i] + (left - target) * steps[i + 1]) / (left - right);
    }
  }
  return steps[0];
}

/**
 * The middle of the first known steps between which the target might have been passed by a fifth and
 * left again, were images to move half as fast again as they were seen to; undefined if there are none.
 */
function doubtfulStep(known, target, expected) {
  const gaps = known.slice(1).map(([high, highRoot], i) => {
    const [low, lowRoot] = known[i];
    return { low, high: Math.min(high, expected), roots: [lowRoot, highRoot], speed: Math.abs(highRoot - lowRoot) / Math.max(high - low, RESOLUTION) };
  });
  const speed = 1.5 * Math.max(...gaps.map((gap) => gap.speed));
  const found = gaps.find(({ low, high, roots: [lowRoot, highRoot] }) => {
    const highest = (Math.min(lowRoot, target) + Math.min(highRoot, target) + speed * (high - low)) / 2;
    return high - low > RESOLUTION && highest > 1.2 * target;
  });
  return found && (found.low + found.high) / 2;
}
