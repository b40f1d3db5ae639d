"""The layout of a conversation, once as a chat template for transformers and once in plain Python for the corpus.

    System: Explain your answer step by step.
    User: Tom has 3 apples. Tom buys 2 more. How many apples does Tom have now?
    Assistant: 3 + 2 = 5. The answer is 5.<|endoftext|>

Both begin with the end-of-text token, which the tokenizer puts before every document anyway. The markers are ordinary
words: a base model can be prompted in this layout too, and no token has to be added to tune one.
"""

from dataclasses import dataclass

from xllm_widgets.microworld.document import END_OF_TEXT, Document

MARKERS = {"system": "System:", "user": "User:", "assistant": "Assistant:"}

# `generation` lets transformers say which tokens are the assistant's (return_assistant_tokens_mask=True).
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages -%}"
    "{%- if not loop.first -%}{{ '\\n' }}{%- endif -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{{ 'Assistant:' }}{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}"
    "{%- elif message['role'] == 'system' -%}{{ 'System: ' + message['content'] }}"
    "{%- else -%}{{ 'User: ' + message['content'] }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '\\nAssistant:' }}{%- endif -%}"
)

Message = dict[str, str]


def render(messages: list[Message], add_generation_prompt: bool = False) -> tuple[str, list[tuple[int, int]]]:
    """The text of a conversation, and the character spans (start, end) that the assistant writes, end mark included.

    The text lacks only the end-of-text token at its very beginning, which the tokenizer adds.
    """
    text, spans = "", []
    for message in messages:
        text += ("\n" if text else "") + MARKERS[message["role"]]
        start = len(text)
        text += f" {message['content']}"
        if message["role"] == "assistant":
            text += END_OF_TEXT
            spans.append((start, len(text)))
    return text + (f"\n{MARKERS['assistant']}" if add_generation_prompt else ""), spans


def prompt(user: str, system: str = "") -> str:
    """What a model reads before it replies; ends where the reply begins, without a trailing space."""
    messages = [{"role": "system", "content": system}] if system else []
    return render([*messages, {"role": "user", "content": user}], add_generation_prompt=True)[0]


@dataclass(frozen=True)
class Conversation:
    """Messages in transformers' form ({"role", "content"}), their kind, and the true facts that the replies state."""

    messages: list[Message]
    kind: str
    facts: tuple[str, ...] = ()

    def document(self) -> Document:
        """The conversation as a document to learn from: only what the assistant says is learnable."""
        text, spans = render(self.messages)
        return Document(self.kind, text, tuple(spans), self.facts)


def converse(kind: str, turns: list[tuple[str, str]], system: str = "", facts: tuple[str, ...] = ()) -> Conversation:
    """A conversation from (what the user says, what the assistant replies) pairs."""
    messages = [{"role": "system", "content": system}] if system else []
    for said, reply in turns:
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": reply}]
    return Conversation(messages, kind, facts)


def converse_stating(kind: str, turns: list[tuple[str, str, str]], system: str = "") -> Conversation:
    """A conversation from (what the user says, the reply, the fact that this states or "") triples."""
    stated = tuple(fact for _, _, fact in turns if fact)
    return converse(kind, [(said, reply) for said, reply, _ in turns], system, stated)
