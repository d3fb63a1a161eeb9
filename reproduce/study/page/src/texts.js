/** All that a rater reads. */

export const texts = {
  question: "Which strip changes just one thing?",
  unsaved:
    "Not saved yet: the connection is gone. Your answers are kept in this browser and sent as soon as it is back. You can go on.",
  refused: (reason) => `An answer was refused: ${reason}. Please tell those who run the study.`,

  loading: "One moment …",
  failed: "That did not work",
  unreached: "The study could not be reached. Nothing is lost; check the connection, then try again.",
  said: (reason) => `The study answered: ${reason}.`,
  retry: "Try again",
  noPicture: "A picture could not be loaded. Check the connection, then try again.",

  consentTitle: "Would you like to take part?",
  consent: (minutes) => [
    `You will see pairs of picture strips. For each pair, you say which strip changes just one thing. This takes about ${minutes} minutes, and you can take breaks.`,
    "You need to see the pictures on your screen. They move slowly; you can stop them at any time and look at them as still pictures.",
    "Taking part is voluntary. You can stop whenever you like by closing the page.",
    "We keep your choices, how long each took, and the words you type, under a random number. We ask for no name and keep no address. Please type nothing that says who you are.",
  ],
  kept: "This browser remembers how far you have come until you have finished.",
  contact: (who) => `Questions: ${who}`,
  agree: "I have read this, I am at least 18 years old, and I agree to take part.",
  agreeFirst: "Tick the box above if you agree.",
  begin: "Begin",
  decline: "No, thank you",
  declinedTitle: "Thank you all the same",
  declined: "Nothing was kept. You can close this page.",

  backTitle: "Welcome back",
  back: (done, all) => `You have done ${done} of ${all} pairs. You can go on where you were.`,
  goOn: "Go on",
  someoneElse: "I am someone else",

  instructionsTitle: "What to do",
  instructions: [
    "A strip is a picture that changes step by step, back and forth. You see two strips, A and B.",
    "In one strip, more than one thing may change: for instance, something grows and moves at once. In the other, perhaps just one thing changes. Choose the strip that changes just one thing.",
    "Sometimes neither or both seem to. Then go by your first impression. There are no trick questions.",
    "Choose by a click or a tap on the strip, or by a key: F or ← for A, J or → for B.",
    "Now and then we ask what changed. A word or two are enough.",
  ],
  keys: "Let me answer with the keys F, J and the arrows",
  practise: "Practise",
  practiceDone: "That was the practice",
  practiceDoneText: (trials) =>
    `Now ${trials} pairs follow, without feedback. Take the time you need, but do not think long.`,
  start: "Start",

  stripLabel: (letter, isMoving, frames) =>
    `Strip ${letter}: ${isMoving ? "moving picture" : `${frames} still pictures`}. Choose ${letter}.`,
  hints: { left: "F or ←", right: "J or →" },
  still: "Show still pictures",
  moving: "Show moving pictures",
  right: "Right.",
  wrong: "Not quite.",
  next: "Next",
  chosen: (letter) => `You chose ${letter}.`,
  nameLabel: (letter) => `What changed in strip ${letter}? A word or two.`,
  nameMissing: "Type a word or two, or choose “I cannot say”.",
  cannotSay: "I cannot say",
  continue: "Continue",

  pair: (number, all) => `Pair ${number} of ${all}`,
  practicePair: (number, all) => `Practice ${number} of ${all}`,
  breakTitle: "Time for a break",
  breakText: (done, all) =>
    `You have done ${done} of ${all} pairs. Look away from the screen for a moment, and go on when you like.`,

  savingTitle: "Saving your answers …",
  rescue: "Download my answers",
  doneTitle: "Thank you!",
  code: "Your completion code",
  copy: "Copy the code",
  copied: "Copied.",
  download: "Download the answers",
  downloadText:
    "Your answers are in this browser alone. Please download them, and hand the file to those who run the study.",
  debriefingTitle: "What this was about",
  debriefing: [
    "The strips were drawn by a computer program that has taught itself to draw from a few numbers. When one of these numbers is changed bit by bit, the picture changes with it. Some say that each number has come to stand for just one thing, such as size or position.",
    "In most pairs, one strip changed a single number. The other changed all numbers at once, in proportions drawn by lot. If people prefer the first kind, the program’s own numbers mean more to us than any other mixture. If they do not, the meaning may lie in our eyes. We do not know which; your answers help to find out.",
    "A few pairs had a right answer, and a few were the same strip twice; they show how carefully people looked.",
  ],
  closing: "You can close this page now.",
  nextPerson: "Start for another person",
  forgetSure: "Start anew? This browser then forgets the answers that it keeps.",
};
