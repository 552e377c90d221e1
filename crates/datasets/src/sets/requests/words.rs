//! What the templates are filled with.

use super::lines::Lines;

/// Words that carry a class are the same in all parts.
const fn shared(words: &'static [&'static str]) -> Lines {
    Lines {
        train: words,
        valid: words,
        test: words,
    }
}

const fn parted(
    train: &'static [&'static str],
    valid: &'static [&'static str],
    test: &'static [&'static str],
) -> Lines {
    Lines { train, valid, test }
}

/// The names that stand in braces, and words for them.
pub(super) const SLOTS: [(&str, Lines); 28] = [
    (
        "product",
        parted(
            &[
                "kettle", "lamp", "headset", "router", "backpack", "blender", "camera", "speaker",
                "desk", "keyboard", "jacket", "monitor", "chair", "printer", "scooter", "mixer",
            ],
            &["kettle", "lamp", "sofa", "drone", "mattress"],
            &[
                "toaster",
                "tripod",
                "heater",
                "bicycle",
                "guitar",
                "freezer",
                "tent",
                "projector",
            ],
        ),
    ),
    (
        "city",
        parted(
            &[
                "Lyon", "Leeds", "Porto", "Turin", "Graz", "Ghent", "Bonn", "Malmo", "Cork",
                "Gdansk",
            ],
            &["Lyon", "Bergen", "Utrecht"],
            &["Seville", "Aarhus", "Basel", "Nantes", "Tampere", "Krakow"],
        ),
    ),
    (
        "name",
        parted(
            &[
                "Anna", "Peter", "Maria", "Tom", "Ines", "Paul", "Lena", "Omar", "Julia", "Marco",
            ],
            &["Anna", "Greta", "Ivan"],
            &["Yusuf", "Clara", "Hugo", "Priya", "Stefan", "Noor"],
        ),
    ),
    (
        "day",
        parted(
            &["Monday", "Tuesday", "Wednesday", "Thursday"],
            &["Monday", "Friday"],
            &["Saturday", "Sunday"],
        ),
    ),
    (
        "when",
        parted(
            &[
                "yesterday",
                "last week",
                "this morning",
                "two days ago",
                "on the third of May",
            ],
            &["yesterday", "last Friday"],
            &["last month", "in April", "a fortnight ago"],
        ),
    ),
    (
        "device",
        parted(
            &[
                "phone",
                "laptop",
                "tablet",
                "computer",
                "old phone",
                "work laptop",
            ],
            &["phone", "watch"],
            &["iPad", "Chromebook", "Pixel", "netbook"],
        ),
    ),
    (
        "plan",
        parted(
            &["Basic", "Plus", "Family", "Premium"],
            &["Basic", "Team"],
            &["Studio", "Student", "Gold"],
        ),
    ),
    (
        "page",
        parted(
            &[
                "settings",
                "map",
                "calendar",
                "photo album",
                "start page",
                "gallery",
            ],
            &["map", "inbox"],
            &["timeline", "shopping list", "dashboard", "playlist"],
        ),
    ),
    (
        "idea",
        parted(
            &[
                "a dark mode",
                "an export",
                "a search",
                "a filter",
                "a widget",
                "bigger letters",
                "an offline mode",
                "a second language",
            ],
            &["a dark mode", "an undo key"],
            &[
                "a night mode",
                "keyboard shortcuts",
                "a sorting option",
                "voice input",
            ],
        ),
    ),
    (
        "do",
        parted(
            &[
                "sort the list",
                "share a folder",
                "export to a spreadsheet",
                "change the language",
                "pin a note",
                "hide old entries",
            ],
            &["sort the list", "rename a folder"],
            &[
                "group my notes",
                "print a folder",
                "merge two lists",
                "copy an entry",
            ],
        ),
    ),
    ("bill", shared(&["invoice", "bill", "statement", "receipt"])),
    ("charged", shared(&["charged", "billed", "debited"])),
    ("money", shared(&["amount", "fee", "price", "total"])),
    (
        "parcel",
        shared(&["parcel", "package", "shipment", "delivery"]),
    ),
    ("carrier", shared(&["courier", "driver", "carrier"])),
    ("log", shared(&["log in", "sign in"])),
    ("secret", shared(&["password", "passcode", "PIN"])),
    ("account", shared(&["account", "profile"])),
    (
        "return",
        shared(&["return", "send back", "exchange", "swap"]),
    ),
    (
        "faulty",
        shared(&["broken", "cracked", "faulty", "scratched"]),
    ),
    ("cancel", shared(&["cancel", "end", "terminate", "stop"])),
    (
        "subscription",
        shared(&["subscription", "membership", "contract"]),
    ),
    ("crashes", shared(&["crashes", "freezes", "hangs"])),
    ("app", shared(&["app", "program", "website"])),
    (
        "error",
        shared(&["an error", "a blank screen", "an error message"]),
    ),
    ("visit", shared(&["appointment", "visit"])),
    (
        "technician",
        shared(&["technician", "engineer", "installer"]),
    ),
    ("book", shared(&["book", "schedule"])),
];
