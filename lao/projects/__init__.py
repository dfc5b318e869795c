"""Projects of this user: which there are, which is the current one, what they need, what a sentence means by one."""
