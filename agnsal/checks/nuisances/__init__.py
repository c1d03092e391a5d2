"""What the class should not depend on."""
