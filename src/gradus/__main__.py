"""`python -m gradus` is `gradus`."""

from gradus.cli.main import main

main()
