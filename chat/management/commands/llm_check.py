"""manage.py llm_check: what the configured model's API can do, or one sentence why it cannot."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from chat.runs.model_api import check_model


class Command(BaseCommand):
    help = "Ask the configured model a tiny question with a tool, and say what was seen."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", default="", help="another model than LLM_MODEL")

    def handle(self, *args: Any, **options: Any) -> None:
        found = asyncio.run(check_model(options["model"] or settings.LLM_MODEL))
        if not found.is_good:
            raise CommandError(found.failure)
        self.stdout.write("\n".join(found.lines()))
