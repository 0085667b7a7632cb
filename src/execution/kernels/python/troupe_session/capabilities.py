"""x"""
class Capabilities:
    def __init__(self, session, policy):
        self._session = session
    def inject(self, namespace):
        import builtins
        namespace.names["__builtins__"] = builtins
        conversation = self._session.conversation
        def input(prompt="", /):
            return conversation.ask_input(str(prompt), False)
        builtins.input = input
