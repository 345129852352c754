"""`python -m crm_framework.cli` is the command `crm`."""

from crm_framework.cli import main

main()
