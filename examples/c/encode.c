/*
 * A film to AV1 in Matroska, with progress and cancel.
 *
 *   encode INPUT OUTPUT [NAME=VALUE ...] [--cancel-after SECONDS]
 *   encode film.mkv film.av1.mkv quality.crf=30 video.preset=8
 *
 * Ctrl-C cancels; what was finished is gone on with when it is run again.
 * Exit status: 0 done, 1 failed, 2 wrong usage, 5 left alone by a rule, 130 cancelled.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <drapto.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* Called from threads of the library: it prints a line a call and touches nothing else. */
static void on_event(void *userdata, uint64_t job, const char *name, const char *json)
{
    (void)userdata;
    if (strcmp(name, "progress") == 0 || strcmp(name, "warning") == 0 || strcmp(name, "finished") == 0)
        fprintf(stderr, "job %llu: %s\n", (unsigned long long)job, json);
}

/* Says what went wrong, frees it, and gives the exit status. */
static int failed(drapto_code code, drapto_error *error)
{
    int64_t ticks;
    int32_t num, den;

    fprintf(stderr, "encode: %s\n", drapto_error_text(error));
    if (drapto_error_time(error, &ticks, &num, &den))
        fprintf(stderr, "encode: the time is %.3f s\n", (double)ticks * num / den);
    drapto_error_free(error);
    switch (code) {
    case DRAPTO_USAGE:
        return 2;
    case DRAPTO_SKIPPED:
        return 5;
    case DRAPTO_INTERRUPTED:
        return 130;
    default:
        return 1;
    }
}

/* Takes NAME=VALUE. */
static drapto_code set(drapto_request *request, const char *argument, drapto_error **error)
{
    char name[64];
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);

    if (length >= sizeof name)
        length = sizeof name - 1;
    memcpy(name, argument, length);
    name[length] = '\0';
    return drapto_request_set(request, name, equals ? equals + 1 : "true", error);
}

int main(int argc, char **argv)
{
    drapto_request *request = NULL;
    drapto_job *job = NULL;
    drapto_error *error = NULL;
    drapto_code code;
    char *report = NULL;
    double cancel_after = -1, waited = 0;
    int i, status = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: encode INPUT OUTPUT [NAME=VALUE ...] [--cancel-after SECONDS]\n");
        return 2;
    }
    code = drapto_abi_check(DRAPTO_ABI_VERSION, &error);
    if (code != DRAPTO_OK)
        return failed(code, error);
    drapto_quiet_libraries();

    code = drapto_request_new(argv[1], argv[2], &request, &error);
    for (i = 3; i < argc && code == DRAPTO_OK; i++) {
        if (strcmp(argv[i], "--cancel-after") == 0 && i + 1 < argc)
            cancel_after = atof(argv[++i]);
        else
            code = set(request, argv[i], &error);
    }
    if (code == DRAPTO_OK)
        code = drapto_start(request, on_event, NULL, &job, &error);
    drapto_request_free(request);
    if (code != DRAPTO_OK)
        return failed(code, error);

    signal(SIGINT, on_signal);
    while ((code = drapto_job_wait(job, 100, &report, &error)) == DRAPTO_TIMEOUT) {
        drapto_error_free(error);
        waited += 0.1;
        if (interrupted || (cancel_after >= 0 && waited >= cancel_after))
            drapto_job_cancel(job);
    }
    if (code == DRAPTO_OK)
        puts(report);
    else
        status = failed(code, error);
    drapto_string_free(report);
    drapto_job_free(job);
    return status;
}
