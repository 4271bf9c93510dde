/*
 * drapto: films in, AV1 + Opus in Matroska out, in one process.
 *
 * Laws of every function:
 *
 * - It gives a drapto_code; DRAPTO_OK is 0. Where it fails, *error (unless error is null) becomes an object that the caller
 *   frees by drapto_error_free; else *error becomes null. What it hands out (*job, *json, ...) is null unless it gives
 *   DRAPTO_OK or its text says otherwise.
 * - Null where an object or text is needed is DRAPTO_USAGE, never a crash. Where null is allowed, the text says so.
 * - Text is UTF-8 and ends with a zero byte; paths are bytes where the system's are. Arguments are copied, and belong to
 *   the caller again when the call returns.
 * - An object belongs to whom its text says, and is freed once, by the function of its own name. Text that comes as
 *   char * is freed by drapto_string_free; text that comes as const char * belongs to the object.
 * - No panic and no exception crosses: a fault inside is DRAPTO_PANIC.
 * - The library never prints, exits, or installs a signal handler.
 *
 * Call drapto_abi_check(DRAPTO_ABI_VERSION, &error) first. Link with `pkg-config --libs drapto`, or with
 * `pkg-config --static --libs drapto` to libdrapto.a.
 *
 * Made from src/capi by cbindgen; not to be edited.
 */

#ifndef DRAPTO_H
#define DRAPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of this header; drapto_version() is that of the library. */
#define DRAPTO_VERSION_MAJOR 0
#define DRAPTO_VERSION_MINOR 1
#define DRAPTO_VERSION_PATCH 0

/* The binary interface this header describes, for drapto_abi_check. */
#define DRAPTO_ABI_VERSION 1

/* The versions of its structures, for their first field. */
#define DRAPTO_VIDEO_VERSION 1
#define DRAPTO_PICTURE_VERSION 1
#define DRAPTO_PACKET_VERSION 1

/**
 * How a call ended. Values never change; later versions may add some.
 */
typedef enum drapto_code {
  /**
   * It did what it says.
   */
  DRAPTO_OK = 0,
  /**
   * Wrong arguments or settings: a null pointer, a name or value there is not, text that is no UTF-8.
   */
  DRAPTO_USAGE = 1,
  /**
   * The input cannot be opened or read.
   */
  DRAPTO_INPUT = 2,
  /**
   * The input can be read, but is something drapto does not take.
   */
  DRAPTO_UNSUPPORTED = 3,
  /**
   * The encode failed.
   */
  DRAPTO_ENCODE = 4,
  /**
   * The output could not be written.
   */
  DRAPTO_OUTPUT = 5,
  /**
   * The output exists but is not what it has to be.
   */
  DRAPTO_VERIFICATION = 6,
  /**
   * A rule left the film alone. The error object says which; nothing went wrong.
   */
  DRAPTO_SKIPPED = 7,
  /**
   * Cancelled; can be started again.
   */
  DRAPTO_INTERRUPTED = 8,
  /**
   * What was waited for has not come yet.
   */
  DRAPTO_TIMEOUT = 9,
  /**
   * The library has another binary interface than the header, or a structure another version.
   */
  DRAPTO_WRONG_VERSION = 10,
  /**
   * A fault of drapto's, or a panic in a callback written in Rust. The object that was used may be freed, no more.
   */
  DRAPTO_PANIC = 11,
} drapto_code;

/**
 * The state of a job.
 */
typedef enum drapto_state {
  /**
   * It has not begun.
   */
  DRAPTO_STATE_IDLE = 0,
  /**
   * Frames flow.
   */
  DRAPTO_STATE_RUNNING = 1,
  /**
   * What is in flight is finished, or what was written is verified.
   */
  DRAPTO_STATE_DRAINING = 2,
  /**
   * Nothing has moved for long.
   */
  DRAPTO_STATE_STALLED = 3,
  /**
   * It failed.
   */
  DRAPTO_STATE_ERROR = 4,
  /**
   * It ended, or was cancelled.
   */
  DRAPTO_STATE_STOPPED = 5,
} drapto_state;

/**
 * An encoder that is given pictures. It belongs to the caller, who frees it by `drapto_encoder_free`.
 *
 * Pictures come in display order, their times rising; packets leave in decode order, one for each picture. It has threads
 * of its own. Threads: any, one at a time.
 */
typedef struct drapto_encoder drapto_encoder;

/**
 * How an encoder is to work. It belongs to the caller, who frees it by `drapto_encoder_options_free`.
 *
 * Threads: any, one at a time.
 */
typedef struct drapto_encoder_options drapto_encoder_options;

/**
 * What went wrong and where. It belongs to the caller, who frees it by `drapto_error_free`.
 *
 * Every accessor takes null and answers as an error without that part. Texts belong to the object and end with it.
 * Threads: any, also several at a time.
 */
typedef struct drapto_error drapto_error;

/**
 * A job that was started. It belongs to the caller, who frees it by `drapto_job_free`.
 *
 * Threads: any, also several at a time, save for `drapto_job_free`.
 */
typedef struct drapto_job drapto_job;

/**
 * A metric that takes a picture and what became of it, pair after pair. It belongs to the caller, who frees it by
 * `drapto_meter_free`. It computes in the calling thread. Threads: any, one at a time.
 */
typedef struct drapto_meter drapto_meter;

/**
 * One film to encode into one or more files. It belongs to the caller, who frees it by `drapto_request_free`.
 *
 * Threads: any, one at a time.
 */
typedef struct drapto_request drapto_request;

/**
 * A flag by which another thread stops a call that takes long. It belongs to the caller, who frees it by
 * `drapto_token_free` when no call uses it. Threads: any, several at a time.
 */
typedef struct drapto_token drapto_token;

/**
 * Is called around the opening of an encoder: with `true` before it allocates its memory, with `false` after.
 */
typedef void (*drapto_opening_hook)(bool opens);

/**
 * Receives events.
 *
 * `name` is the event's name (`started`, `stage`, `progress`, `resumed`, `chunk`, `warning`, `finished`; later versions
 * may add some), `json` the whole event as an object with `event` and `job`. Both belong to the library and end with
 * the call.
 *
 * Threads: called from threads of the library, several at a time for one job, never from the one that started it.
 * It must be quick and must not wait for the job. It may cancel it.
 */
typedef void (*drapto_event_callback)(void *userdata, uint64_t job, const char *name, const char *json);

/**
 * What the pictures given to an encoder are. Filled by the caller; what is 0 is the default.
 */
typedef struct drapto_video {
  /**
   * `DRAPTO_VIDEO_VERSION`.
   */
  uint32_t version;
  /**
   * Width in luma samples; even.
   */
  uint32_t width;
  /**
   * Height in luma samples; even.
   */
  uint32_t height;
  /**
   * Frames a second, for the distance of keyframes and the encoder's model of rates, never for times: numerator.
   */
  int32_t frame_rate_num;
  /**
   * Denominator.
   */
  int32_t frame_rate_den;
  /**
   * Seconds a tick of `pts`: numerator. 0 over 0 is one frame a tick.
   */
  int32_t time_base_num;
  /**
   * Denominator.
   */
  int32_t time_base_den;
  /**
   * Bits a sample: 8 or 10; 0 is 10.
   */
  uint32_t bit_depth;
  /**
   * Colour primaries by ITU-T H.273: 1 is BT.709, 9 BT.2020; 0 and 2 say nothing.
   */
  uint32_t primaries;
  /**
   * Transfer characteristics by ITU-T H.273; 0 and 2 say nothing.
   */
  uint32_t transfer;
  /**
   * Matrix coefficients by ITU-T H.273; 2 says nothing (0 is RGB's, which is not taken: it says nothing, too).
   */
  uint32_t matrix;
  /**
   * Whether samples use all code values (0 to 255 in 8 bits) instead of 16 to 235.
   */
  bool full_range;
  /**
   * Whether `drapto_encoder_send` will force keyframes.
   */
  bool forced_keyframes;
} drapto_video;

/**
 * The samples of one 4:2:0 picture. Filled by the caller, to whom the samples belong; they are read during the call.
 */
typedef struct drapto_picture {
  /**
   * `DRAPTO_PICTURE_VERSION`.
   */
  uint32_t version;
  /**
   * Y, Cb, Cr: the first sample of each. At 8 bits a sample is a byte; at 10 two bytes of the machine's order, in the
   * low bits. Chroma has half as many samples each way, rounded up.
   */
  const uint8_t *planes[3];
  /**
   * Bytes from one row to the next. The last row need not reach beyond its last sample.
   */
  size_t strides[3];
} drapto_picture;

/**
 * One coded picture. Filled by the library, to whom it belongs until `drapto_packet_free`.
 */
typedef struct drapto_packet {
  /**
   * `DRAPTO_PACKET_VERSION`.
   */
  uint32_t version;
  /**
   * Whether decoding can start here.
   */
  bool keyframe;
  /**
   * The picture it shows: how many were sent before.
   */
  uint64_t index;
  /**
   * When that is shown, as it was sent.
   */
  int64_t pts;
  /**
   * When it is decoded; rises from packet to packet, is never above `pts`, and may begin below zero.
   */
  int64_t dts;
  /**
   * Bytes of `data`.
   */
  size_t size;
  /**
   * As Matroska and MP4 store it: of AV1 a temporal unit without its delimiter, the sequence header in keyframes; of
   * H.264 NAL units behind lengths of four bytes. Put `12 00` before each unit of AV1 for an OBU stream.
   */
  const uint8_t *data;
} drapto_packet;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Frees text that a function gave out as `char *`.
 *
 * Null is allowed. Memory: `text` came from this library and was not freed before.
 */
void drapto_string_free(char *text);

/**
 * The code the call gave; `DRAPTO_OK` for null.
 */
enum drapto_code drapto_error_code(const struct drapto_error *error);

/**
 * The whole sentence: place, message, causes. Empty for null, never null.
 */
const char *drapto_error_text(const struct drapto_error *error);

/**
 * What went wrong, without the place and the causes. Empty for null, never null.
 */
const char *drapto_error_message(const struct drapto_error *error);

/**
 * The file it is about; null where it is about none.
 */
const char *drapto_error_file(const struct drapto_error *error);

/**
 * The stage that failed; null where none did.
 */
const char *drapto_error_stage(const struct drapto_error *error);

/**
 * The stream, by its index in the source; -1 where it is about none.
 */
int64_t drapto_error_stream(const struct drapto_error *error);

/**
 * The chunk, by its position in the film; -1 where it is about none.
 */
int64_t drapto_error_chunk(const struct drapto_error *error);

/**
 * Whether the error has a time in its stream: `*ticks` of `*num / *den` seconds each.
 *
 * Without one, nothing is written. Each of the three may be null.
 */
bool drapto_error_time(const struct drapto_error *error, int64_t *ticks, int32_t *num, int32_t *den);

/**
 * Frees an error. Null is allowed.
 */
void drapto_error_free(struct drapto_error *error);

/**
 * The library's version, as `0.1.0`. The text lives as long as the process.
 */
const char *drapto_version(void);

/**
 * Whether the library and the header a program was compiled with fit: call it first, with `DRAPTO_ABI_VERSION`.
 *
 * Gives `DRAPTO_OK` or `DRAPTO_WRONG_VERSION`; `error` may be null.
 */
enum drapto_code drapto_abi_check(uint32_t abi_version, struct drapto_error **error);

/**
 * Silences the linked libraries' own logs (FFmpeg's and SVT-AV1's), for the whole process and for good.
 *
 * drapto never does this by itself. Call it before the first job.
 */
void drapto_quiet_libraries(void);

/**
 * Has `hook` called around every opening of an encoder, never two at once, in the thread that opens.
 *
 * SVT-AV1 2.3.0 reads memory it never wrote: a program that wants equal bytes of that version for all its encodes has
 * its allocator give out zeroed memory meanwhile, with glibc by `mallopt(M_PERTURB, 0xff)` and `mallopt(M_PERTURB, 0)`.
 * Only the first hook of a process counts; null is none. The function lives as long as the process.
 */
void drapto_around_opening(drapto_opening_hook hook);

/**
 * A request to encode `input` into `output` with default settings.
 *
 * Memory: the paths are copied; the caller frees `*request`.
 */
enum drapto_code drapto_request_new(const char *input,
                                    const char *output,
                                    struct drapto_request **request,
                                    struct drapto_error **error);

/**
 * Reads a request: `{"version": 1, "input": "film.mkv", "outputs": [{"path": "film.av1.mkv"}],
 * "settings": {"quality.target_vmaf": 93}}`.
 *
 * Gives `DRAPTO_USAGE` for what is no request. Memory: `json_text` is copied; the caller frees `*request`.
 */
enum drapto_code drapto_request_from_json(const char *json_text,
                                          struct drapto_request **request,
                                          struct drapto_error **error);

/**
 * Writes the request as `drapto_request_from_json` reads it.
 *
 * Memory: the caller frees `*json` by `drapto_string_free`.
 */
enum drapto_code drapto_request_to_json(const struct drapto_request *request, char **json, struct drapto_error **error);

/**
 * Adds a file to write; `*index`, which may be null, is its number for `drapto_request_set_for`. The first has 0.
 *
 * Memory: the path is copied.
 */
enum drapto_code drapto_request_add_output(struct drapto_request *request,
                                           const char *output,
                                           size_t *index,
                                           struct drapto_error **error);

/**
 * Sets a setting of all outputs by name, as `("quality.target_vmaf", "93")`. All there are: `drapto_settings_json`.
 *
 * Gives `DRAPTO_USAGE` for names and values there are not. Memory: both texts are copied.
 */
enum drapto_code drapto_request_set(struct drapto_request *request,
                                    const char *name,
                                    const char *value,
                                    struct drapto_error **error);

/**
 * Sets a setting of one output; it goes before those of all.
 *
 * Gives `DRAPTO_USAGE` for names, values and outputs there are not. Memory: both texts are copied.
 */
enum drapto_code drapto_request_set_for(struct drapto_request *request,
                                        size_t output,
                                        const char *name,
                                        const char *value,
                                        struct drapto_error **error);

/**
 * A setting of the first output as a run would use it; `*value` is null where it is made up during the run or nothing
 * is set.
 *
 * Gives `DRAPTO_USAGE` for names there are not and settings that cannot be together. Memory: the caller frees `*value`
 * by `drapto_string_free`.
 */
enum drapto_code drapto_request_get(const struct drapto_request *request,
                                    const char *name,
                                    char **value,
                                    struct drapto_error **error);

/**
 * Checks a request without looking at its files; `*warnings` becomes a JSON array of sentences about what was set and
 * has no meaning.
 *
 * Gives `DRAPTO_USAGE` for requests that cannot be. Memory: the caller frees `*warnings` by `drapto_string_free`.
 */
enum drapto_code drapto_request_check(const struct drapto_request *request,
                                      char **warnings,
                                      struct drapto_error **error);

/**
 * Frees a request. Null is allowed. Jobs that were started from it go on.
 */
void drapto_request_free(struct drapto_request *request);

/**
 * All settings as a JSON array of objects with `name`, `group`, `key`, `flag`, `environment`, `type` (`number`, `whole`,
 * `one_of`, `switch`, `size`, `parameters`, `text`), `min`, `max`, `words`, `unit`, `default`, `help`, `example` and
 * `needs_target`.
 *
 * Memory: the caller frees `*json` by `drapto_string_free`.
 */
enum drapto_code drapto_settings_json(char **json,
                                      struct drapto_error **error);

/**
 * Checks `request` and starts a thread that carries it out.
 *
 * Events go to `callback` (which may be null) with `userdata`, from threads of the library, until `drapto_job_wait`
 * gives something else than `DRAPTO_TIMEOUT` or `drapto_job_free` returns. Gives `DRAPTO_USAGE` for requests that cannot
 * be. Memory: the request is copied and can be freed or changed; callback and userdata stay the caller's and live until
 * the events end; the caller frees `*job`.
 */
enum drapto_code drapto_start(const struct drapto_request *request,
                              drapto_event_callback callback,
                              void *userdata,
                              struct drapto_job **job,
                              struct drapto_error **error);

/**
 * The job's number, as its events carry it: from 1 on; 0 for null.
 */
uint64_t drapto_job_id(const struct drapto_job *job);

/**
 * The job's state at this moment; `DRAPTO_STATE_ERROR` for null. Does not wait.
 */
enum drapto_state drapto_job_state(const struct drapto_job *job);

/**
 * Whether `drapto_job_wait` would return at once; `true` for null.
 */
bool drapto_job_is_finished(const struct drapto_job *job);

/**
 * How the job is: a JSON object with `state` and `stages` (`name`, `items`, `mean_s`, `queue_depth`, `queue_capacity`,
 * `blocked_in_s`, `blocked_out_s`, `stalled`, `back_pressured`). Does not wait.
 *
 * Memory: the caller frees `*json` by `drapto_string_free`.
 */
enum drapto_code drapto_job_health_json(const struct drapto_job *job, char **json_text, struct drapto_error **error);

/**
 * Asks the job to stop; it ends within seconds with `DRAPTO_INTERRUPTED` and can be started again. Null is allowed.
 *
 * Only sets a flag: it may be called from a callback and from a signal handler.
 */
void drapto_job_cancel(const struct drapto_job *job);

/**
 * Waits until the job has ended, at most `timeout_ms` milliseconds; a negative number waits for as long as it takes.
 *
 * Gives `DRAPTO_OK` and the report (a JSON object, that of `drapto encode --report`) once every output is verified and
 * in place; `DRAPTO_TIMEOUT` while it runs; `DRAPTO_SKIPPED` where a rule left the film alone; `DRAPTO_PANIC` after a
 * panic in the callback; else why it failed. It can be called again, with the same answer. `report` may be null.
 * Memory: the caller frees `*report` by `drapto_string_free`.
 */
enum drapto_code drapto_job_wait(const struct drapto_job *job,
                                 int64_t timeout_ms,
                                 char **report,
                                 struct drapto_error **error);

/**
 * Cancels the job if it runs, waits until it has ended, and frees it. Null is allowed.
 *
 * No event comes after it. From the job's own callback it cannot wait: there it cancels only, and events may follow.
 */
void drapto_job_free(struct drapto_job *job);

/**
 * A token that is not cancelled. Never null. The caller frees it by `drapto_token_free`.
 */
struct drapto_token *drapto_token_new(void);

/**
 * Has every call that was given the token end with `DRAPTO_INTERRUPTED`. For good. Null is allowed.
 *
 * Only sets a flag: it may be called from a callback and from a signal handler.
 */
void drapto_token_cancel(const struct drapto_token *token);

/**
 * Frees a token. Null is allowed.
 */
void drapto_token_free(struct drapto_token *token);

/**
 * What a file holds: streams, colour, HDR and Dolby Vision, chapters, and with `with_crop` its black bars; the object of
 * `drapto probe --json`.
 *
 * Waits for as long as it takes to read; `token` may be null. Memory: the caller frees `*json` by `drapto_string_free`.
 */
enum drapto_code drapto_probe_json(const char *input,
                                   bool with_crop,
                                   const struct drapto_token *token,
                                   char **json_text,
                                   struct drapto_error **error);

/**
 * The picture within its black bars: `width`, `height`, `x`, `y`, `confidence`, `samples`; the object of
 * `drapto crop --json`.
 *
 * Waits for as long as it takes; `token` may be null. Memory: the caller frees `*json` by `drapto_string_free`.
 */
enum drapto_code drapto_crop_json(const char *input,
                                  const struct drapto_token *token,
                                  char **json_text,
                                  struct drapto_error **error);

/**
 * Where a film would be cut into chunks of about `chunk_seconds`, and its scenes; the object of `drapto scenes --json`.
 *
 * Waits for as long as it takes to decode the film; `token` may be null. Memory: the caller frees `*json` by
 * `drapto_string_free`.
 */
enum drapto_code drapto_scenes_json(const char *input,
                                    double chunk_seconds,
                                    const struct drapto_token *token,
                                    char **json_text,
                                    struct drapto_error **error);

/**
 * Scores `distorted` against `reference`; the object of `drapto vmaf --json`.
 *
 * `stride`: each how many-th frame is scored; 0 scores all; even ones read too high. `model`: null takes the one for the
 * size. Progress goes to `callback` (which may be null) with job 0, until the call returns. Waits for as long as it
 * takes; `token` may be null. Memory: the caller frees `*json` by `drapto_string_free`.
 */
enum drapto_code drapto_vmaf_json(const char *reference,
                                  const char *distorted,
                                  uint32_t stride,
                                  const char *model,
                                  drapto_event_callback callback,
                                  void *userdata,
                                  const struct drapto_token *token,
                                  char **json_text,
                                  struct drapto_error **error);

/**
 * Checks `output` against `source`; the object of `drapto verify --json`.
 *
 * Gives `DRAPTO_VERIFICATION` where a check fails, and the object with it. Waits for as long as it takes; `token` may be
 * null. Memory: the caller frees `*json` by `drapto_string_free`, also after `DRAPTO_VERIFICATION`.
 */
enum drapto_code drapto_verify_json(const char *source,
                                    const char *output,
                                    const struct drapto_token *token,
                                    char **json_text,
                                    struct drapto_error **error);

/**
 * Options for pictures of this kind, with the default encoder (SVT-AV1) and its defaults.
 *
 * Gives `DRAPTO_WRONG_VERSION` for another version of the structure, `DRAPTO_USAGE` for numbers there are not. Memory:
 * `video` is copied; the caller frees `*options`.
 */
enum drapto_code drapto_encoder_options_new(const struct drapto_video *video,
                                            struct drapto_encoder_options **options,
                                            struct drapto_error **error);

/**
 * Reads options: `{"width": 1280, "height": 720, "frame_rate": [24000, 1001], "time_base": [1, 1000], "bit_depth": 10,
 * "color": [1, 1, 1], "full_range": false, "encoder": "svt-av1", "crf": 30, "preset": 6, "threads": 0,
 * "keyframe_interval": 0, "forced_keyframes": false, "film_grain": 0, "parameters": [["tune", "0"]]}`; all but the size may
 * be left out.
 *
 * Gives `DRAPTO_USAGE` for what are no options. Memory: the text is copied; the caller frees `*options`.
 */
enum drapto_code drapto_encoder_options_from_json(const char *json_text,
                                                  struct drapto_encoder_options **options,
                                                  struct drapto_error **error);

/**
 * Sets an option by name: as jobs call it (`video.encoder`, `quality.crf`, `video.preset`, `video.film_grain`, `video.svt`
 * for parameters of any encoder, `picture.bit_depth`), or `threads`, `keyframe_interval` (frames) and
 * `forced_keyframes`.
 *
 * Gives `DRAPTO_USAGE` for names and values there are not. Memory: both texts are copied.
 */
enum drapto_code drapto_encoder_options_set(struct drapto_encoder_options *options,
                                            const char *name,
                                            const char *value,
                                            struct drapto_error **error);

/**
 * Frees options. Null is allowed. Encoders that were opened with them go on.
 */
void drapto_encoder_options_free(struct drapto_encoder_options *options);

/**
 * Opens an encoder. Where a process can have one only, it waits until the other is freed or `token` (which may be null)
 * is cancelled; a thread that holds the other itself would wait for ever.
 *
 * Gives `DRAPTO_USAGE` for options the encoder does not take, `DRAPTO_UNSUPPORTED` for a size it does not take,
 * `DRAPTO_ENCODE` where the library fails, `DRAPTO_INTERRUPTED`. Memory: the options are copied; the token must live while
 * the call lasts; the caller frees `*encoder`.
 */
enum drapto_code drapto_encoder_open(const struct drapto_encoder_options *options,
                                     const struct drapto_token *token,
                                     struct drapto_encoder **encoder,
                                     struct drapto_error **error);

/**
 * Encodes a picture, which is shown at `pts`, in ticks of the time base; `key` makes it a keyframe, before which no later
 * one reaches back (it needs `forced_keyframes`).
 *
 * It may wait while the encoder is full, never for `drapto_encoder_receive`. Gives `DRAPTO_USAGE` for a time that is not
 * after the one before, rows that are too short, samples of too many bits, and after `drapto_encoder_finish`: nothing was
 * taken and the encoder goes on; `DRAPTO_ENCODE` where the library fails: the stream is lost. Memory: the samples are
 * copied and belong to the caller again when the call returns. Each plane holds (rows - 1) x stride bytes and one row.
 */
enum drapto_code drapto_encoder_send(struct drapto_encoder *encoder,
                                     const struct drapto_picture *picture,
                                     int64_t pts,
                                     bool key,
                                     struct drapto_error **error);

/**
 * The next packet, in decode order. Before `drapto_encoder_finish` it does not wait, and a `*packet` of null with
 * `DRAPTO_OK` means "none yet"; afterwards it waits, and null is the end and stays it.
 *
 * Memory: the packet and its bytes belong to the library until the caller frees it by `drapto_packet_free`, also beyond
 * the encoder's end.
 */
enum drapto_code drapto_encoder_receive(struct drapto_encoder *encoder,
                                        struct drapto_packet **packet,
                                        struct drapto_error **error);

/**
 * Frees a packet and its bytes. Null is allowed. Threads: any.
 */
void drapto_packet_free(struct drapto_packet *packet);

/**
 * Says that no more pictures follow; the packets that are left are then to be received. Again, it does nothing.
 */
enum drapto_code drapto_encoder_finish(struct drapto_encoder *encoder, struct drapto_error **error);

/**
 * What a container's codec configuration is made of: of H.264 an `AVCDecoderConfigurationRecord`, from the opening on; of
 * AV1 the sequence header OBU, from the first packet on (`*data` null and `*size` 0 before).
 *
 * Memory: the bytes belong to the encoder, until it is asked again or freed.
 */
enum drapto_code drapto_encoder_codec_config(struct drapto_encoder *encoder,
                                             const uint8_t **data,
                                             size_t *size,
                                             struct drapto_error **error);

/**
 * Frees an encoder. Null is allowed. Packets that were not received are lost; those that were stay.
 */
void drapto_encoder_free(struct drapto_encoder *encoder);

/**
 * Opens a metric for 4:2:0 pictures of `width` x `height` luma samples of `bit_depth` bits (8 or 10): `vmaf` (the model
 * for the size), a model of it by libvmaf's name (`vmaf_v0.6.1`), `psnr`, `ssim`, or a spec in JSON: `{"kind": {"vmaf":
 * {"model": "vmaf_4k_v0.6.1"}}, "stride": 3, "threads": 2}`.
 *
 * Gives `DRAPTO_USAGE` for a metric there is not, `DRAPTO_UNSUPPORTED` for sizes and depths it does not take. Memory: the
 * text is copied; the caller frees `*meter`.
 */
enum drapto_code drapto_meter_open(const char *metric,
                                   uint32_t width,
                                   uint32_t height,
                                   uint32_t bit_depth,
                                   struct drapto_meter **meter,
                                   struct drapto_error **error);

/**
 * Takes the next pair: `distorted` shows what `reference` shows. Every pair of a stream is given, in display order.
 *
 * Memory: the samples are copied and belong to the caller again when the call returns. Each plane holds
 * (rows - 1) x stride bytes and one row.
 */
enum drapto_code drapto_meter_push(struct drapto_meter *meter,
                                   const struct drapto_picture *reference,
                                   const struct drapto_picture *distorted,
                                   struct drapto_error **error);

/**
 * Ends the stream: the scores of all its pairs, as `drapto vmaf --json` prints them. Afterwards the meter can only be
 * freed.
 *
 * Memory: the caller frees `*json_text` by `drapto_string_free`, and the meter.
 */
enum drapto_code drapto_meter_finish(struct drapto_meter *meter, char **json_text, struct drapto_error **error);

/**
 * Frees a meter. Null is allowed.
 */
void drapto_meter_free(struct drapto_meter *meter);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DRAPTO_H */
