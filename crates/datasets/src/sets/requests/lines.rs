//! The templates.

/// Lines of the three parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    pub(super) train: &'static [&'static str],
    pub(super) valid: &'static [&'static str],
    pub(super) test: &'static [&'static str],
}

/// What customers write about one matter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Class {
    pub(super) name: &'static str,
    /// What they ask for.
    pub(super) requests: Lines,
    /// What is in order with it, said beside another request.
    pub(super) asides: Lines,
}

/// How a line begins; a part of them has no greeting.
pub(super) const OPENERS: Lines = Lines {
    train: &["", "", "", "hello, ", "hi, ", "good morning, ", "hi team, "],
    valid: &["", "", "hello, ", "good day, "],
    test: &["", "dear support, ", "hey there, ", "good evening, "],
};

/// How a line ends.
pub(super) const CLOSERS: Lines = Lines {
    train: &[
        "",
        "",
        ".",
        ".",
        ". Thanks",
        ". Thank you",
        ". Please help",
        ". Regards, {name}",
    ],
    valid: &["", ".", ". Thanks", ". Cheers, {name}"],
    test: &[
        "",
        ".",
        ". Many thanks",
        ". Kind wishes, {name}",
        ". Please advise",
    ],
};

/// How a request stands beside something that is in order.
pub(super) const CONNECTORS: Lines = Lines {
    train: &[
        "{aside}, but {core}",
        "{aside}. However, {core}",
        "although {aside}, {core}",
        "{core}. By the way, {aside}",
        "{core}. At least {aside}",
        "{core}, but {aside}",
    ],
    valid: &[
        "it is good that {aside}, but {core}",
        "{core}, although {aside}",
    ],
    test: &[
        "{core}. By the way, it is good that {aside}",
        "{aside}, however {core}",
        "even though {aside}, {core}",
        "{core}, even if {aside}",
    ],
};

/// The matters, in the order of their names.
pub(super) const CLASSES: [Class; 8] = [
    BILLING,
    BOOKING,
    BUG,
    CANCELLATION,
    DELIVERY,
    FEATURE,
    LOGIN,
    RETURNS,
];

const BILLING: Class = Class {
    name: "billing",
    requests: Lines {
        train: &[
            "I was {charged} twice for the {product}",
            "the {bill} for order {order} shows the wrong {money}",
            "why is the {money} on my {bill} higher than before",
            "please send me a copy of the {bill} for the {product}",
            "my card was {charged} {when} and I do not know this {money}",
            "can you explain the {money} of {sum} on my {bill}",
            "I need a {bill} with our company name and tax number",
            "the discount was not taken off my {bill}",
            "you {charged} me {sum} too much for the {product}",
            "can I pay the {bill} by bank transfer",
            "my payment was declined by the bank",
            "there is a {money} on my card that I cannot explain",
            "the tax on the {bill} from {when} is wrong",
            "how do I change the card that pays my {bill}",
            "a payment of {sum} left my bank twice",
        ],
        valid: &[
            "the {bill} lists the {product} twice and the {money} is wrong",
            "my bank says that you {charged} the card {when}, please explain",
            "can you take the discount off and send a new {bill}",
        ],
        test: &[
            "somebody {charged} my card for a {product} and the {bill} shows {sum}",
            "two payments left my bank for one {product}, please check the {bill}",
            "our company needs the tax on a {bill} with the right {money}",
            "please explain why my card was {charged} {sum}",
            "the {money} on the {bill} is without the discount for the {product}",
            "the bank transfer of {sum} is not on my {bill}",
            "which payment is this, I see {sum} twice on the card",
        ],
    },
    asides: Lines {
        train: &[
            "the {bill} is paid",
            "the payment went through",
            "the {money} on the {bill} is right",
            "my card was {charged} only once",
            "the bank transfer is done",
        ],
        valid: &["the {bill} for the {product} is right"],
        test: &[
            "the {bill} from {when} is right",
            "the payment by card is done",
            "the {money} is paid",
        ],
    },
};

const BOOKING: Class = Class {
    name: "booking",
    requests: Lines {
        train: &[
            "I would like to {book} the {visit} of a {technician}",
            "please move my {visit} from {day} to another day",
            "can the {technician} come on {day}",
            "is there a free slot on {day} in {city}",
            "nobody came to the {visit} on {day}, please {book} a new one",
            "I need a {technician} to install the {product}",
            "what time will the {technician} come on {day}",
            "I have to postpone the {visit} to {day}",
            "which free slots do you have for the {visit} in {city}",
            "please {book} the {visit} in the afternoon",
            "can I move the {visit} of the {technician}",
            "the {visit} on {day} does not suit me, is there an earlier slot",
            "how long does the {visit} of the {technician} take",
            "please confirm my {visit} on {day} at noon",
            "we want to {book} a slot with the {technician}",
        ],
        valid: &[
            "may I postpone the {technician} to the afternoon of {day}",
            "is an earlier {visit} in {city} free",
            "please {book} somebody to install the {product} on {day}",
        ],
        test: &[
            "could a {technician} install my {product} on {day}",
            "I have to postpone, is another slot free on {day}",
            "please {book} a {technician} for the afternoon in {city}",
            "the time of my {visit} does not suit {name}, please move it",
            "we want to {book} the {visit} for the {product}, which day is free",
            "does the {technician} have an earlier slot in {city}",
            "please confirm the time of the {visit} with {name}",
        ],
    },
    asides: Lines {
        train: &[
            "the {technician} came {when}",
            "the {visit} went well",
            "the {technician} was very good",
            "I could {book} the {visit} without trouble",
            "the {visit} on {day} is confirmed",
        ],
        valid: &["the {visit} of the {technician} is confirmed"],
        test: &[
            "the {technician} came on {day} and was very good",
            "the {visit} {when} went well",
            "the slot on {day} is confirmed",
        ],
    },
};

const BUG: Class = Class {
    name: "bug",
    requests: Lines {
        train: &[
            "the {app} {crashes} when I open the {page}",
            "I see {error} on my {device}",
            "since the update the {app} {crashes} on my {device}",
            "the {app} is very slow after the update",
            "the button to save does nothing on my {device}",
            "the {app} shows {error} when I save",
            "nothing happens when I press the button on the {page}",
            "the {app} {crashes} every time I start it",
            "the sound stops in the {app} on my {device}",
            "the {page} stays empty and then the {app} {crashes}",
            "my data is gone after the last update of the {app}",
            "I found a bug in the {page}",
            "the {app} does not load on my {device}",
            "pictures do not load and I get {error}",
            "the screen of the {device} goes blank when I save",
        ],
        valid: &[
            "the {page} does not load and the {app} {crashes}",
            "after the update I see {error} on the {page}",
            "every button of the {app} is slow on the {device}",
        ],
        test: &[
            "on my {device} the screen is blank after every update",
            "every time I press save the {app} {crashes}",
            "there is a bug, the {page} does not load",
            "the {app} is slow and then {crashes} on the {device}",
            "when I open the {page} I get {error}",
            "the save button of the {page} is gone since the update",
            "the {device} shows {error} and the {app} does not start",
        ],
    },
    asides: Lines {
        train: &[
            "the {app} runs well",
            "the update removed the error",
            "the {app} no longer {crashes}",
            "the {page} loads quickly",
            "the bug is gone",
        ],
        valid: &["the {app} runs well after the update"],
        test: &[
            "the {app} no longer shows {error}",
            "the bug in the {page} is gone",
            "the {app} runs well on my {device}",
        ],
    },
};

const CANCELLATION: Class = Class {
    name: "cancellation",
    requests: Lines {
        train: &[
            "I want to {cancel} my {subscription}",
            "please {cancel} my {subscription} this month",
            "how do I {cancel} the {plan} {subscription}",
            "I no longer need the {subscription}, please {cancel} it",
            "please do not renew my {subscription}",
            "{cancel} order {order} please, I changed my mind",
            "can I {cancel} before the trial is over",
            "what is the notice period to {cancel} the {subscription}",
            "I am moving to {city} and have to {cancel}",
            "please delete everything and {cancel} my {subscription}",
            "turn off the automatic renewal of my {plan} {subscription}",
            "I found a cheaper offer and would like to {cancel} the {subscription}",
            "please confirm in writing that my {subscription} is cancelled",
            "my trial is over and I do not want to renew",
            "we no longer use the {plan} {subscription}, stop the renewal",
        ],
        valid: &[
            "I changed my mind, please {cancel} the trial",
            "is there a notice period if I do not renew the {subscription}",
            "the {plan} {subscription} is not needed, {cancel} it {when}",
        ],
        test: &[
            "{name} does not need the {plan} {subscription}, so please {cancel} it",
            "how long is the notice period if I {cancel} the {plan} {subscription}",
            "do not renew the trial of {name}, please",
            "I changed my mind about the {plan} {subscription} and want to {cancel}",
            "please confirm that the automatic renewal is off for {name}",
            "a cheaper {subscription} is enough for me, {cancel} this one",
            "is it too late to {cancel} the {subscription} from {when}",
        ],
    },
    asides: Lines {
        train: &[
            "I do not want to {cancel} my {subscription}",
            "I am happy with the {subscription}",
            "I renewed my {subscription} {when}",
            "I will keep the {plan} {subscription}",
            "the renewal went through",
        ],
        valid: &["I am happy with the {plan} {subscription}"],
        test: &[
            "I do not want to {cancel} the {plan} {subscription}",
            "I will keep my {subscription}",
            "I renewed the {plan} {subscription}",
        ],
    },
};

const DELIVERY: Class = Class {
    name: "delivery",
    requests: Lines {
        train: &[
            "my {parcel} has not arrived yet",
            "where is the {parcel} with order {order}",
            "the tracking page shows no news of my {parcel} since {day}",
            "the {carrier} left the {parcel} at the wrong address in {city}",
            "the {parcel} was promised for {day} and is late",
            "can you ship the {product} to {city} instead",
            "the {carrier} says nobody was at home {when}",
            "how long does shipping to {city} take",
            "tracking says the {parcel} is stuck in {city}",
            "I moved, please change the shipping address of order {order}",
            "the {carrier} did not ring and took the {parcel} away",
            "a part of my {parcel} is missing, the {product} was not in the box",
            "when will order {order} be shipped",
            "do you ship to {city} on {day}",
            "the {parcel} is still missing and the {carrier} is late",
        ],
        valid: &[
            "the {carrier} is late again and tracking shows no {parcel}",
            "is the {parcel} for {city} shipped yet",
            "the box has not arrived at my address in {city}",
        ],
        test: &[
            "no {carrier} came on {day} and the {parcel} is still missing",
            "tracking for order {order} has been stuck since {day}",
            "please ship the {parcel} to my new address in {city}",
            "the box with the {product} was promised for {day}, where is it now",
            "where did the {carrier} leave my {parcel}",
            "shipping to {city} is late, when will the {product} arrive",
            "the {carrier} took the box to a wrong address in {city}",
        ],
    },
    asides: Lines {
        train: &[
            "the {parcel} arrived on time",
            "the {carrier} was friendly",
            "the {parcel} came {when}",
            "shipping to {city} was quick",
            "the {product} arrived",
        ],
        valid: &["the {carrier} came on time"],
        test: &[
            "the {parcel} with the {product} arrived on time",
            "the {carrier} was quick and friendly",
            "shipping the {product} to {city} was quick",
        ],
    },
};

const FEATURE: Class = Class {
    name: "feature",
    requests: Lines {
        train: &[
            "please add {idea} to the {app}",
            "it would be great to have {idea}",
            "can the {app} support {idea}",
            "are you planning {idea} for the {app}",
            "I would love {idea} on my {device}",
            "is there a way to {do} in the {app}",
            "my suggestion: add {idea}",
            "could you make it possible to {do}",
            "a wish for the next version: {idea}",
            "could the {plan} version offer {idea}",
            "other programs have {idea}, will you offer it too",
            "we would use the {app} more if we could {do}",
            "I have an idea: let us {do}",
            "will there be a version for my {device}",
            "my wish is that you support {idea} and let us {do}",
        ],
        valid: &[
            "a suggestion for the next version: let us {do}",
            "would you add {idea} for the {device} too",
            "are you planning a way to {do}",
        ],
        test: &[
            "would it be possible to have {idea} in the next version",
            "my wish is a way to {do}",
            "a suggestion for the {app}: add {idea}",
            "I would love to {do}, are you planning that",
            "could the {app} offer {idea} too",
            "other programs let us {do}, please add that",
            "will you support {idea} on the {device}",
        ],
    },
    asides: Lines {
        train: &[
            "the new search is great",
            "the dark mode looks nice",
            "I like the new version",
            "thank you for the export",
            "my wish came true with the new filter",
        ],
        valid: &["I like the new filter"],
        test: &[
            "the new version with {idea} looks nice",
            "I like {idea}",
            "thank you for the new version on the {device}",
        ],
    },
};

const LOGIN: Class = Class {
    name: "login",
    requests: Lines {
        train: &[
            "I cannot {log} to my {account}",
            "I forgot my {secret}",
            "the mail to reset my {secret} does not come",
            "my {account} is locked after too many attempts",
            "the page to {log} says that my {secret} is wrong",
            "how do I reset the {secret} of my {account}",
            "I have a new phone number and the security code goes to the old one",
            "the link to reset my {secret} has expired",
            "please unlock the {account} of {name}",
            "I am asked for a security code when I {log} from {city}",
            "my user name is not known when I {log}",
            "someone else can {log} to my {account}, please lock it",
            "I lost the phone that gets the security code",
            "the {secret} that you sent does not let me {log}",
            "my {account} is locked and I forgot the user name",
        ],
        valid: &[
            "after the reset my {secret} is still wrong and I cannot {log}",
            "the security code to {log} does not come to my phone",
            "the {account} of {name} is locked, please send a link",
        ],
        test: &[
            "every {secret} is wrong and now the {account} of {name} is locked",
            "no security code comes to the {device}, so I cannot {log}",
            "please reset my {account}, {name} forgot the user name",
            "the link to unlock my {account} has expired",
            "the code to {log} goes to my old {device}",
            "can you unlock my {account}, I lost the {secret}",
            "{name} is locked out after many attempts to {log}",
        ],
    },
    asides: Lines {
        train: &[
            "I can {log} without trouble",
            "my {secret} works",
            "the {account} is open again",
            "the security code came at once",
            "I could reset my {secret}",
        ],
        valid: &["I can {log} again"],
        test: &[
            "the {account} of {name} is open again",
            "I can {log} on the {device} without trouble",
            "the new {secret} works",
        ],
    },
};

const RETURNS: Class = Class {
    name: "returns",
    requests: Lines {
        train: &[
            "I want to {return} the {product}",
            "the {product} is {faulty}, can I {return} it",
            "the {product} has the wrong size, I would like to {return} it",
            "how do I get a return label for the {product}",
            "when will I get the refund for the {product} I sent back",
            "the {product} came {faulty}, I would like a replacement",
            "can I {return} the {product} after thirty days",
            "I do not like the colour and want to {return} it",
            "is the {product} still under warranty, it is {faulty}",
            "the replacement for the {product} is {faulty} too",
            "I ordered two by mistake and want to {return} one",
            "my refund for order {order} is missing",
            "where do I send the {faulty} {product}",
            "please send me a return label and refund order {order}",
            "the {product} is the wrong colour and I want my refund",
        ],
        valid: &[
            "the size of the {product} is wrong, I want a refund",
            "the {product} is {faulty}, is there a return label",
            "does the warranty cover a {faulty} {product}",
        ],
        test: &[
            "this {product} is {faulty} and the wrong size, I want to {return} it",
            "there is no refund yet for the {faulty} {product}",
            "please {return} the {product}, the colour and size are wrong",
            "do I get a replacement under warranty for a {faulty} {product}",
            "I have no return label, where do I send the {product}",
            "I ordered one {product} too many, can I {return} it for a refund",
            "a {faulty} {product} was in the box, I would like a refund",
        ],
    },
    asides: Lines {
        train: &[
            "the refund came quickly",
            "the replacement for the {product} works",
            "the return of the {product} was easy",
            "I have the return label",
            "the new size is right",
        ],
        valid: &["the replacement is right"],
        test: &[
            "the refund for the {product} came {when}",
            "the replacement of the {product} was easy",
            "the new {product} has the right colour and size",
        ],
    },
};
