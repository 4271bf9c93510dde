/*
 * Pictures of the program's own to AV1: a moving test picture, or the frames of a YUV4MPEG2 file (8-bit 4:2:0), into IVF.
 *
 *   frames OUTPUT.ivf [WIDTH HEIGHT COUNT]     frames test.ivf 320 180 50
 *   frames OUTPUT.ivf INPUT.y4m
 *
 * Also scores each picture against a copy with noise, to show the meter; its JSON goes to standard output.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <drapto.h>

/* A picture of this program: three planes, and where to read more. */
struct pictures {
    unsigned width, height;
    int rate_num, rate_den;
    long count; /* of the test picture; -1 for a file */
    FILE *file;
    uint8_t *planes[3];
    size_t sizes[3];
};

static void die(const char *what)
{
    fprintf(stderr, "frames: %s\n", what);
    exit(1);
}

/* Ends the program where a call of the library failed. */
static void check(drapto_code code, drapto_error *error)
{
    if (code == DRAPTO_OK)
        return;
    fprintf(stderr, "frames: %s\n", drapto_error_text(error));
    drapto_error_free(error);
    exit(1);
}

static void open_pictures(struct pictures *p, int argc, char **argv)
{
    char header[256], *field;
    int i;

    p->width = 320, p->height = 180, p->rate_num = 25, p->rate_den = 1, p->count = 50, p->file = NULL;
    if (argc == 5) {
        p->width = (unsigned)atoi(argv[2]), p->height = (unsigned)atoi(argv[3]), p->count = atol(argv[4]);
    } else if (argc == 3) {
        p->count = -1;
        p->file = fopen(argv[2], "rb");
        if (!p->file || !fgets(header, sizeof header, p->file) || strncmp(header, "YUV4MPEG2 ", 10) != 0)
            die("cannot read the input as YUV4MPEG2");
        for (field = strtok(header + 10, " \n"); field; field = strtok(NULL, " \n")) {
            if (field[0] == 'W')
                p->width = (unsigned)atoi(field + 1);
            else if (field[0] == 'H')
                p->height = (unsigned)atoi(field + 1);
            else if (field[0] == 'F')
                sscanf(field + 1, "%d:%d", &p->rate_num, &p->rate_den);
            else if (field[0] == 'C' && (strncmp(field, "C420", 4) != 0 || strchr(field, 'p') == field + 4))
                die("only 8-bit 4:2:0 is read");
        }
    }
    if (p->width == 0 || p->width > 16384 || p->height == 0 || p->height > 16384)
        die("this is no size of a picture");
    for (i = 0; i < 3; i++) {
        p->sizes[i] = i == 0 ? (size_t)p->width * p->height : (size_t)((p->width + 1) / 2) * ((p->height + 1) / 2);
        p->planes[i] = malloc(p->sizes[i]);
        if (!p->planes[i])
            die("no memory");
    }
}

/* The next picture into the planes; 0 at the end. */
static int next_picture(struct pictures *p, long n)
{
    char line[256];
    size_t x, y;
    int i;

    if (p->file) {
        if (!fgets(line, sizeof line, p->file))
            return 0;
        for (i = 0; i < 3; i++)
            if (fread(p->planes[i], 1, p->sizes[i], p->file) != p->sizes[i])
                die("the input ends within a picture");
        return 1;
    }
    if (n >= p->count)
        return 0;
    for (y = 0; y < p->height; y++)
        for (x = 0; x < p->width; x++)
            p->planes[0][y * p->width + x] = (uint8_t)(16 + ((x + 2 * (size_t)n) ^ y) % 220);
    memset(p->planes[1], (int)(96 + n % 64), p->sizes[1]);
    memset(p->planes[2], (int)(160 - n % 64), p->sizes[2]);
    return 1;
}

static void describe(const struct pictures *p, uint8_t *const planes[3], drapto_picture *picture)
{
    int i;

    memset(picture, 0, sizeof *picture);
    picture->version = DRAPTO_PICTURE_VERSION;
    for (i = 0; i < 3; i++) {
        picture->planes[i] = planes[i];
        picture->strides[i] = i == 0 ? p->width : (p->width + 1) / 2;
    }
}

static void put(uint8_t *to, uint64_t value, int bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        *to++ = (uint8_t)value;
}

/* IVF: a head of 32 bytes, then each temporal unit behind 12 bytes with its size and time. */
static void write_head(FILE *out, const struct pictures *p, uint64_t count)
{
    uint8_t head[32] = "DKIF";

    put(head + 6, 32, 2);
    memcpy(head + 8, "AV01", 4);
    put(head + 12, p->width, 2);
    put(head + 14, p->height, 2);
    put(head + 16, (uint64_t)p->rate_num, 4);
    put(head + 20, (uint64_t)p->rate_den, 4);
    put(head + 24, count, 4);
    if (fseek(out, 0, SEEK_SET) != 0 || fwrite(head, 1, sizeof head, out) != sizeof head)
        die("cannot write the output");
}

/* Writes what the encoder has; afterwards it has nothing for now or, after its end, for good. */
static uint64_t drain(drapto_encoder *encoder, FILE *out)
{
    static const uint8_t delimiter[2] = {0x12, 0x00};
    drapto_packet *packet;
    drapto_error *error;
    uint8_t head[12];
    uint64_t count = 0;

    for (;;) {
        check(drapto_encoder_receive(encoder, &packet, &error), error);
        if (!packet)
            return count;
        put(head, packet->size + sizeof delimiter, 4);
        put(head + 4, (uint64_t)packet->pts, 8);
        if (fwrite(head, 1, sizeof head, out) != sizeof head ||
            fwrite(delimiter, 1, sizeof delimiter, out) != sizeof delimiter ||
            fwrite(packet->data, 1, packet->size, out) != packet->size)
            die("cannot write the output");
        fprintf(stderr, "picture %llu at %lld: %zu bytes%s\n", (unsigned long long)packet->index,
                (long long)packet->pts, packet->size, packet->keyframe ? ", a keyframe" : "");
        drapto_packet_free(packet);
        count++;
    }
}

int main(int argc, char **argv)
{
    struct pictures p;
    drapto_video video;
    drapto_encoder_options *options;
    drapto_encoder *encoder;
    drapto_meter *meter;
    drapto_picture picture, noisy;
    drapto_error *error;
    uint8_t *luma, *noisy_planes[3];
    const uint8_t *config;
    size_t i, size;
    uint64_t count = 0;
    char *scores;
    FILE *out;
    long n;

    if (argc != 2 && argc != 3 && argc != 5)
        die("usage: frames OUTPUT.ivf [WIDTH HEIGHT COUNT | INPUT.y4m]");
    check(drapto_abi_check(DRAPTO_ABI_VERSION, &error), error);
    drapto_quiet_libraries();
    open_pictures(&p, argc, argv);

    memset(&video, 0, sizeof video);
    video.version = DRAPTO_VIDEO_VERSION;
    video.width = p.width, video.height = p.height;
    video.frame_rate_num = p.rate_num, video.frame_rate_den = p.rate_den;
    video.bit_depth = 8;
    video.primaries = video.transfer = video.matrix = 1;
    video.forced_keyframes = true;
    check(drapto_encoder_options_new(&video, &options, &error), error);
    check(drapto_encoder_options_set(options, "video.preset", "12", &error), error);
    check(drapto_encoder_options_set(options, "quality.crf", "40", &error), error);
    check(drapto_encoder_options_set(options, "threads", "1", &error), error);
    check(drapto_encoder_open(options, NULL, &encoder, &error), error);
    drapto_encoder_options_free(options);
    check(drapto_meter_open("vmaf", p.width, p.height, 8, &meter, &error), error);

    luma = malloc(p.sizes[0]);
    out = fopen(argv[1], "wb");
    if (!luma || !out)
        die("cannot write the output");
    write_head(out, &p, 0);
    noisy_planes[0] = luma, noisy_planes[1] = p.planes[1], noisy_planes[2] = p.planes[2];
    for (n = 0; next_picture(&p, n); n++) {
        describe(&p, p.planes, &picture);
        describe(&p, noisy_planes, &noisy);
        for (i = 0; i < p.sizes[0]; i++)
            luma[i] = (uint8_t)(p.planes[0][i] ^ ((i * 2654435761u >> 24) & 7));
        check(drapto_encoder_send(encoder, &picture, n, n == 5, &error), error);
        check(drapto_meter_push(meter, &picture, &noisy, &error), error);
        count += drain(encoder, out);
    }
    check(drapto_encoder_finish(encoder, &error), error);
    count += drain(encoder, out);
    write_head(out, &p, count);
    if (fclose(out) != 0)
        die("cannot write the output");

    check(drapto_encoder_codec_config(encoder, &config, &size, &error), error);
    fprintf(stderr, "%llu packets of %ld pictures; the sequence header has %zu bytes\n", (unsigned long long)count, n,
            size);
    check(drapto_meter_finish(meter, &scores, &error), error);
    puts(scores);
    drapto_string_free(scores);
    drapto_meter_free(meter);
    drapto_encoder_free(encoder);
    for (i = 0; i < 3; i++)
        free(p.planes[i]);
    free(luma);
    if (p.file)
        fclose(p.file);
    return count == (uint64_t)n ? 0 : 1;
}
