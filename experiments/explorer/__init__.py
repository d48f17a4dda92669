"""The explorer: a page on which one drags the base model and sees what training does.

`state` is what the page shows, as numbers in its address; `server` serves the page, and
`worker` orders its questions; `curves`, `numbers`, `maps`, `samples`, `sentences` and
`exports` answer them. `page/` is what the browser gets.
"""
