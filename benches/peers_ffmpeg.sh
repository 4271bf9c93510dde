#!/usr/bin/env bash
# Builds the ffmpeg and ffprobe that the peers of peers.sh --target run: with the very SVT-AV1 that a drapto loads.
#
#   benches/peers_ffmpeg.sh [DRAPTO]   prints the folder with both programs; a second call only does that
#
#   FFMPEG_TARBALL= DAV1D_TARBALL= SVT_HEADERS_DEB=   files to use instead of fetching them (of the same SHA-256)
#   JOBS=   compilers at once (default: one a core)
#
# A distribution's or a wheel's ffmpeg has an SVT-AV1 of its own, and ab-av1 with a newer encoder than drapto's says
# nothing about either search. So drapto's library is copied beside an FFmpeg that is built against its headers. Of
# FFmpeg there is what the comparison uses, with all of its assembler; libvmaf is the one that drapto's build made.
# Linux only. Needs what scripts/setup installs, curl and readelf.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

# Trixie's FFmpeg: its libsvtav1.c knows the API of 0.9 to 4.x by SVT_AV1_CHECK_VERSION.
FFMPEG_VERSION=7.1.5
FFMPEG_SHA256=de668509caf9e35e3cd162473441fdb29538c6d96ed080292b3cf9e6fc5d558f
FFMPEG_URLS="http://deb.debian.org/debian/pool/main/f/ffmpeg/ffmpeg_$FFMPEG_VERSION.orig.tar.xz
    https://ffmpeg.org/releases/ffmpeg-$FFMPEG_VERSION.tar.xz
    https://snapshot.debian.org/file/280615051f0546371d20d8b119f3ff357e0fb948"
DAV1D_VERSION=1.5.1
DAV1D_SHA256=401813f1f89fa8fd4295805aa5284d9aed9bc7fc1fdbe554af4292f64cbabe21
DAV1D_URLS="http://deb.debian.org/debian/pool/main/d/dav1d/dav1d_$DAV1D_VERSION.orig.tar.xz
    https://downloads.videolan.org/pub/videolan/dav1d/$DAV1D_VERSION/dav1d-$DAV1D_VERSION.tar.xz
    https://snapshot.debian.org/file/eaefdc760c0eb26f7b6546eeb9e45aa9cf0dbc55"
# The wheel that scripts/setup takes 4.2.0 from has no headers; these are the same on every processor.
HEADERS_VERSION=4.2.0
HEADERS_SHA256=fb0963eed69911d5eac6c1360b6de0c4b8961074c9b2066290e95ff13f7bc627
HEADERS_URLS="http://deb.debian.org/debian/pool/main/s/svt-av1/libsvtav1enc-dev_4.2.0+dfsg-3_amd64.deb
    https://snapshot.debian.org/file/64e8840bf25271bae51285420dd6ab6f079b7b71"

target=${CARGO_TARGET_DIR:-target}
drapto=${1:-$target/release/drapto}
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}

die() {
    printf 'peers_ffmpeg: %s\n' "$*" >&2
    exit 1
}
note() { printf 'peers_ffmpeg: %s\n' "$*" >&2; }

command -v "$drapto" >/dev/null || die "$drapto is missing; run: cargo build --release"
for tool in cc make meson ninja pkg-config curl readelf ar ldd; do
    command -v $tool >/dev/null || die "$tool is missing; run: scripts/setup (curl and readelf: packages curl, binutils)"
done
case $(uname -m) in x86_64) command -v nasm >/dev/null || die 'nasm is missing; run: scripts/setup' ;; esac

# ---- which library ---------------------------------------------------------------------------------------

version=$("$drapto" --version | sed -n 's/.*(SVT-AV1 v\{0,1\}\([0-9][^ ,)]*\).*/\1/p')
[ -n "$version" ] || die "$drapto --version does not say which SVT-AV1 it has"

# Of those a program loads the one of that version: FFmpeg's libraries bring in another one on many systems.
library_of() {
    local file
    while read -r file; do
        file=$(readlink -f "$file")
        case $file in *.so."$version") printf '%s\n' "$file" && return 0 ;; esac
    done < <(ldd "$(command -v "$drapto")" | awk '/libSvtAv1Enc[^ ]*\.so/ && $3 ~ /^\// { print $3 }')
    # Linked statically: the system's shared one, if it is of the same version.
    [ "$(pkg-config --modversion SvtAv1Enc 2>/dev/null)" = "$version" ] || return 1
    readlink -e "$(pkg-config --variable=libdir SvtAv1Enc)/libSvtAv1Enc.so"
}
library=$(library_of) || die "cannot find the library of SVT-AV1 $version that $drapto has; give VMAF_FFMPEG"

tools=$target/peers/tools
mkdir -p "$tools/sources"
tools=$(cd "$tools" && pwd)
final=$tools/ffmpeg-$version
# What it was built from and how, so that nothing older passes for it.
stamp="$(sha256sum <"$library") $(sha256sum <"benches/peers_ffmpeg.sh")"

exec 9>"$tools/ffmpeg-$version.lock"
if command -v flock >/dev/null; then flock 9; fi
if [ -r "$final/stamp" ] && [ "$(cat "$final/stamp")" = "$stamp" ]; then
    printf '%s\n' "$final/bin"
    exit 0
fi

# ---- sources ---------------------------------------------------------------------------------------------

# name, SHA-256, file or nothing, URLs: prints a file of that sum.
fetched() {
    local file=${3:-$tools/sources/$1} url
    is_right() { [ -r "$file" ] && [ "$(sha256sum <"$file" | cut -d' ' -f1)" = "$2" ]; }
    if ! is_right "$@"; then
        [ -z "$3" ] || die "$3 is not $1 with the SHA-256 $2"
        for url in $4; do
            note "fetching $url"
            if curl -fsSL --connect-timeout 20 --retry 2 -o "$file.part$$" "$url"; then
                mv "$file.part$$" "$file"
                if is_right "$@"; then break; fi
                note "what came has another SHA-256 than $2"
            fi
        done
        is_right "$@" || die "cannot fetch $1; get it elsewhere and name it (see the head of benches/peers_ffmpeg.sh)"
    fi
    printf '%s\n' "$file"
}

# The folder of headers that are of this version.
is_of_version() {
    local major minor patch
    IFS=. read -r major minor patch _ <<<"$version"
    grep -qsE "define +SVT_AV1_VERSION_MAJOR +\(?$major\)?" "$1"/*.h &&
        grep -qsE "define +SVT_AV1_VERSION_MINOR +\(?$minor\)?" "$1"/*.h &&
        grep -qsE "define +SVT_AV1_VERSION_PATCHLEVEL +\(?${patch:-0}\)?" "$1"/*.h
}
headers_of() {
    local folder deb
    for folder in "${SVT_AV1_DIR:+$SVT_AV1_DIR/include}" "$(pkg-config --variable=includedir SvtAv1Enc 2>/dev/null)"; do
        [ -n "$folder" ] && is_of_version "$folder/svt-av1" && printf '%s\n' "$folder/svt-av1" && return 0
    done
    [ "$version" = "$HEADERS_VERSION" ] || return 1
    deb=$(fetched "svt-av1-$HEADERS_VERSION-headers.deb" "$HEADERS_SHA256" "${SVT_HEADERS_DEB:-}" "$HEADERS_URLS") || exit 1
    mkdir -p "$scratch/headers"
    ar p "$deb" data.tar.xz | tar -xJ -C "$scratch/headers" ./usr/include
    is_of_version "$scratch/headers/usr/include/svt-av1" && printf '%s\n' "$scratch/headers/usr/include/svt-av1"
}

scratch=$tools/building-$version part=$tools/ffmpeg-$version.part
rm -rf "$scratch" "$part" "$final"
mkdir -p "$scratch/pc" "$part/lib"

# name, tarball: unpacks it; prints the folder.
unpacked() {
    mkdir -p "$scratch/$1"
    tar -xf "$2" -C "$scratch/$1" --strip-components=1 || die "cannot unpack $2"
    printf '%s\n' "$scratch/$1"
}

# Runs a command whose output matters only where it fails.
quietly() {
    local log=$scratch/$1.log
    shift
    "$@" >"$log" 2>&1 9>&- || {
        tail -n 20 "$log" >&2
        die "failed (all of it in $log): $*"
    }
}

headers=$(headers_of) || die "there are no headers of SVT-AV1 $version: set SVT_AV1_DIR, or give VMAF_FFMPEG"
ffmpeg_tarball=$(fetched "ffmpeg-$FFMPEG_VERSION.tar.xz" "$FFMPEG_SHA256" "${FFMPEG_TARBALL:-}" "$FFMPEG_URLS")
dav1d_tarball=$(fetched "dav1d-$DAV1D_VERSION.tar.xz" "$DAV1D_SHA256" "${DAV1D_TARBALL:-}" "$DAV1D_URLS")

# The newest that a build of drapto left; its models are built in.
vmaf_pc=''
for candidate in "$target"/{release,debug,*}/build/vmaf-head-sys-*/out/install/lib/pkgconfig/libvmaf.pc; do
    if [ -r "$candidate" ]; then vmaf_pc=$(cd "$(dirname "$candidate")" && pwd) && break; fi
done
[ -n "$vmaf_pc" ] || pkg-config --exists 'libvmaf >= 2.3' || die "no libvmaf below $target; run: cargo build --release"

# ---- what it links ---------------------------------------------------------------------------------------

soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[ -n "$soname" ] || die "$library has no name of its own (soname)"
cp "$library" "$part/lib/$soname"
ln -s "$soname" "$part/lib/libSvtAv1Enc.so"
cat >"$scratch/pc/SvtAv1Enc.pc" <<TEXT
Name: SvtAv1Enc
Description: the SVT-AV1 that drapto loads
Version: $version
Libs: -L$part/lib -lSvtAv1Enc
Cflags: -I$headers
TEXT

source=$(unpacked dav1d "$dav1d_tarball")
note "building dav1d $DAV1D_VERSION"
quietly dav1d-setup meson setup "$source/out" "$source" --prefix="$scratch/dav1d-here" --libdir=lib --buildtype=release \
    --default-library=static -Denable_tools=false -Denable_tests=false
quietly dav1d-build ninja -C "$source/out" -j "$jobs" install

export PKG_CONFIG_PATH=$scratch/pc:$scratch/dav1d-here/lib/pkgconfig${vmaf_pc:+:$vmaf_pc}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
zlib=()
if pkg-config --exists zlib; then zlib=(--enable-zlib); fi

# ---- FFmpeg ----------------------------------------------------------------------------------------------

source=$(unpacked ffmpeg "$ffmpeg_tarball")
cd "$source"
note "building FFmpeg $FFMPEG_VERSION with SVT-AV1 $version, $jobs at a time: some minutes"
# Decoders of sound only because FFmpeg reads far into a film to learn about sound that it cannot decode.
quietly configure ./configure --prefix="$part" --disable-everything --disable-autodetect --disable-doc --disable-debug \
    --disable-network --disable-ffplay --enable-ffmpeg --enable-ffprobe --enable-runtime-cpudetect --pkg-config-flags=--static \
    --enable-libsvtav1 --enable-libvmaf --enable-libdav1d ${zlib[@]+"${zlib[@]}"} --extra-libs=-lstdc++ \
    --enable-protocol=file,pipe --enable-indev=lavfi --enable-parsers --enable-bsfs \
    --enable-demuxer=mov,matroska,h264,hevc,m4v,av1,obu,ivf,mpegps,mpegts,mpegvideo,avi,flv,asf,ogg,vc1,rawvideo,yuv4mpegpipe,concat \
    --enable-decoder=h264,hevc,vp8,vp9,libdav1d,mpeg1video,mpeg2video,mpeg4,msmpeg4v2,msmpeg4v3,h263,flv,vc1,wmv3,theora \
    --enable-decoder=mjpeg,prores,dnxhd,ffv1,huffyuv,ffvhuff,utvideo,rawvideo,wrapped_avframe \
    --enable-decoder=aac,ac3,eac3,dca,truehd,mp3,mp2,opus,vorbis,flac,alac,pcm_s16le,pcm_s24le,pcm_s16be \
    --enable-encoder=libsvtav1,wrapped_avframe,rawvideo \
    --enable-muxer=matroska,webm,mp4,mov,ivf,null,segment,stream_segment,rawvideo,yuv4mpegpipe,framemd5,md5 \
    --enable-filter=libvmaf,scale,format,settb,setpts,fps,trim,null,select,setsar,setparams,split,color,testsrc2
if [ "$(uname -m)" = x86_64 ]; then
    for wanted in HAVE_X86ASM HAVE_AVX2_EXTERNAL HAVE_AVX512_EXTERNAL; do
        grep -q "^#define $wanted 1" config.h || die "FFmpeg would be built without $wanted, and so be slower than it is"
    done
fi
# The library lies beside the program, wherever both are moved. By the environment, as no shell and no make reads it there.
# shellcheck disable=SC2016
LD_RUN_PATH='$ORIGIN/../lib' quietly make make -j "$jobs"
# shellcheck disable=SC2016
LD_RUN_PATH='$ORIGIN/../lib' quietly install make install-progs
cd - >/dev/null

# ---- whether it is that ----------------------------------------------------------------------------------

loaded=$(ldd "$part/bin/ffmpeg" | awk -v name="$soname" '$1 == name { print $3 }')
if [ ! -e "$loaded" ] || [ "$(realpath "$loaded")" != "$(realpath "$part/lib/$soname")" ]; then
    die "the ffmpeg that was built loads ${loaded:-no $soname}"
fi
mkdir -p "$scratch/check"
quietly check "$part/bin/ffmpeg" -nostdin -y -f lavfi -i testsrc2=size=320x180:rate=24:duration=0.5 -pix_fmt yuv420p10le \
    -c:v libsvtav1 -preset 12 -crf 30 -svtav1-params tune=0 "$scratch/check/a.mkv"
quietly score "$part/bin/ffmpeg" -nostdin -i "$scratch/check/a.mkv" -f lavfi -i testsrc2=size=320x180:rate=24:duration=0.5 \
    -lavfi '[0:v]format=yuv420p10le[d];[1:v]format=yuv420p10le[r];[d][r]libvmaf=model=version=vmaf_v0.6.1' -f null -
grep -q 'VMAF score' "$scratch/score.log" || die "the ffmpeg that was built does not score; see $scratch/score.log"

mv "$part" "$final"
printf '%s\n' "$stamp" >"$final/stamp"
rm -rf "$scratch"
note "built $final/bin"
printf '%s\n' "$final/bin"
