#!/usr/bin/env python
"""Django's own door. `python manage.py VERB` and `cavra VERB` are the same verbs."""

from cavra_site.cli import main

if __name__ == "__main__":
    main()
