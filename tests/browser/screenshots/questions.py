"""What is asked and answered on the pictures: questions that people ask, and their scripts."""

ANSWER = """\
Number every event and let the browser tell you the last number it saw. When it connects again it \
sends that number in a header, so the server **only has to go on from there**.

```python
async def events(request, run):
    after = int(request.headers.get("Last-Event-ID", 0))
    async for row in run.events.filter(seq__gt=after).order_by("seq"):
        yield f"id: {row.seq}\\ndata: {row.data}\\n\\n"  # lets the browser go on here
```

What happens on the way:

| In the tunnel | Seen by the browser | Asked for afterwards |
|:--|:--|--:|
| 12 events | a bar that says so | 13 and later |
| the end | nothing | the end, once |

1. Store the event, then show it.
2. Give it the next number, without a hole.
3. Never trust a clock: `seq` is enough."""

EVENTS = "How can a browser catch up on events that it missed in a tunnel?"
TIMES = "What time is it in Tokyo, in New York and in Lisbon, and how many km are 5 miles?"
SLOW = "Run the long check of the timetable, please"
HARD = "Which of the two crossings is safer in a northerly gale?"
BROKEN = "Summarise the minutes of last night’s harbour meeting"
TABLE = "Book a table for the crew on Friday"
BELL = "Start the day anew: reset the bell of the ferry"
LONG = "Tell me the whole story of the old ferry"
SHORT = "Say it in one sentence"

THOUGHTS = (
    "The person wants a stream that survives a lost connection. Server-Sent Events carry an id, "
    "and browsers send the last one back. So the events need numbers, and they must be stored. "
)
STORY = " ".join(
    ["She was built of larch, and she carried the post before she carried people."] * 9
)

SCRIPTS = {
    EVENTS: f"[[reason {THOUGHTS}]]"
    '[[call search_docs {"query": "Last-Event-ID after a lost connection"}]]'
    '[[call calculate {"expression": "1284 / 0"}]]'
    '[[call current_time {"timezone": "Europe/Lisbon"}]]'
    f"[[then]][[text {ANSWER}]][[usage 1284 312]]",
    TIMES: '[[call current_time {"timezone": "Tokyo"}]]'
    '[[call current_time {"timezone": "New York"}]]'
    '[[call current_time {"timezone": "Lisbon"}]]'
    '[[call convert_units {"value": 5, "from_unit": "miles", "to_unit": "km"}]]'
    "[[then]][[text Tokyo is nine hours ahead of Lisbon, New York five behind. "
    "5 miles are **8.05 km**.]][[usage 402 61]]",
    SLOW: "[[text I start the check now; it takes about a minute.]]"
    '[[call slow_task {"seconds": 60, "steps": 20}]]',
    HARD: f"[[reason {THOUGHTS * 2}]][[stall]]",
    BROKEN: "[[text The meeting began at seven. First the new pontoon: it is paid for, and]]"
    "[[error The model is out of breath]]",
    TABLE: '[[text I ask for a table.]][[call book {"day": "Friday"}]][[then]][[text Booked.]]',
    BELL: "[[text I set the count of the bell back to nought.]][[call reset_bell {}]]"
    "[[then]][[text Done: it starts at nought again.]]",
    LONG: f"[[text {STORY}]][[stall]]",
    SHORT: "[[text She carried the post, then people, and now she carries a museum.]]",
}

# Titles in the sidebar, and how many days ago they moved.
OTHERS = (
    ("Quarterly numbers for the board", 0),
    ("Draft reply to the landlord", 0),
    ("Bicycle trip along the Elbe", 1),
    ("Why is the nightly job slow?", 1),
    ("Reading list on tides", 5),
    ("Names for a ferry timetable", 6),
    ("Postgres upgrade plan", 20),
)
