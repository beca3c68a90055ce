"""Named ways of doing one step of a method: one folder for each step, one file for each way.

What a configuration may say, and what help, checks, evidence and documents list, is what stands here. Nothing
here imports torch or NumPy before it is called: the command line lists the names without them.
"""
