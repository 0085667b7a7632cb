"""x"""
class Checkpoints:
    def __init__(self, session):
        pass
    def defined(self, compiled):
        pass
