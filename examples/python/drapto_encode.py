#!/usr/bin/env python3
"""A film to AV1 by libdrapto (or DRAPTO_LIBRARY): drapto_encode.py INPUT OUTPUT [NAME=VALUE ...]. Ctrl-C cancels."""
import ctypes, json, os, sys
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_uint64, c_void_p

OK, TIMEOUT, ABI = 0, 9, 1
EVENT = ctypes.CFUNCTYPE(None, c_void_p, c_uint64, c_char_p, c_char_p)
drapto = ctypes.CDLL(os.environ.get("DRAPTO_LIBRARY", "libdrapto.so"))
drapto.drapto_error_text.restype, drapto.drapto_error_text.argtypes = c_char_p, [c_void_p]
for free in ("error", "job", "request", "string"):
    getattr(drapto, f"drapto_{free}_free").argtypes = [c_void_p]
OUT = POINTER(c_void_p)
drapto.drapto_abi_check.argtypes = [ctypes.c_uint32, OUT]
drapto.drapto_request_new.argtypes = [c_char_p, c_char_p, OUT, OUT]
drapto.drapto_request_set.argtypes = [c_void_p, c_char_p, c_char_p, OUT]
drapto.drapto_start.argtypes = [c_void_p, EVENT, c_void_p, OUT, OUT]
drapto.drapto_job_wait.argtypes, drapto.drapto_job_wait.restype = [c_void_p, c_int64, OUT, OUT], c_int


def call(function, *arguments, allowed=(OK,)):
    """Calls `function`; ends the program with the library's words unless its code is allowed."""
    error = c_void_p()
    code = function(*arguments, byref(error))
    text = drapto.drapto_error_text(error).decode()
    drapto.drapto_error_free(error)
    if code not in allowed:
        sys.exit(f"drapto: {text}")
    return code


@EVENT
def on_event(_userdata, job, name, text):
    if name == b"progress":
        event = json.loads(text)
        print(f"job {job}: {event['frames']} frames at {event['fps']:.1f} a second", file=sys.stderr)


request, job, report = c_void_p(), c_void_p(), c_void_p()
call(drapto.drapto_abi_check, ABI)
drapto.drapto_quiet_libraries()
call(drapto.drapto_request_new, os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]), byref(request))
for setting in sys.argv[3:]:
    name, _, value = setting.partition("=")
    call(drapto.drapto_request_set, request, name.encode(), value.encode())
call(drapto.drapto_start, request, on_event, None, byref(job))
try:
    while call(drapto.drapto_job_wait, job, 100, byref(report), allowed=(OK, TIMEOUT)) == TIMEOUT:
        pass
except KeyboardInterrupt:
    sys.exit("drapto: cancelled")
else:
    found = json.loads(ctypes.string_at(report))
    print(f"{found['output']['path']}: {found['output']['frames']} frames, {found['reduction_percent']:.1f} % smaller")
finally:
    drapto.drapto_string_free(report)
    drapto.drapto_job_free(job)
    drapto.drapto_request_free(request)
