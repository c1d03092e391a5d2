"""Floor 5: can the explanation be trusted?"""
