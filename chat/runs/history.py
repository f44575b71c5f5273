"""What the model is shown of what was said before."""

from chat.models import AgentRun, Message, path_to
from chat.steps import Step
from chat.transcript import ChatMessage, of_steps, system, user


def read_history(run: AgentRun) -> list[ChatMessage]:
    """The branch up to the run's question.

    Sets `run.turns_left_out`: the oldest of its turns that this model was found to have no room
    for.
    """
    run.turns_left_out = run.turns_left_out or _turns_left_out(run)
    prompt = run.conversation.system_prompt
    shown = [system(prompt)] if prompt else []
    if run.conversation.is_new:
        return [*shown, user(run.message.content)]
    # Not as messages: of a long conversation, to make them costs more than all the rest.
    for role, text, steps in path_to(run.message_id).values_list("role", "content", "steps"):
        if role == Message.Role.USER:
            shown.append(user(text))
        else:
            shown.extend(of_steps(map(Step.from_json, steps)))
    return shown


def _turns_left_out(run: AgentRun) -> int:
    if run.conversation.is_new:
        return 0
    earlier = run.conversation.runs.filter(
        model_name=run.model_name, created_at__lt=run.created_at
    ).filter(message__in=path_to(run.message_id).values("pk"))
    found = earlier.order_by("-created_at").values_list("turns_left_out", flat=True).first()
    return found or 0
