"""Floor 3: why this class?"""
