"""A session of user code inside a process of its own; `kernel.serve` is where it begins.

    wire           frames to and from the service, and the end of both
    output         what is printed and shown, in order, on credit; the queue between user code and the wire
    streams        sys.stdout and its kin, and what is written to descriptors 1 and 2 behind their back
    interruption   breaking into user code, politely (cancel) and less so (interrupt)
    modes          what code is, by parsing; the cache of compiled code
    namespace      the user's names: protection, merging, transactions, listing; with `history`, what In and Out hold
    execution      running one piece of code, with the event loop of `background` once there is one
    conversation   questions to the service while code runs: input, requests
    capabilities   what a policy lets code do, and `files`, which confines it to folders
    checkpoint     carrying a namespace to another process
    limits         resource limits, and what of them was used

Two rules hold throughout. User code runs in the main thread, and only where `interruption.calling` marks it: nothing
ever raises in the kernel's own steps. And the thread that reads the wire never waits for user code.
"""
