// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "importers.h"

#include <drm/drm.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sys/ioctl.h>

bool importer_load(const char *name_and_parameters)
{
	char command[200];

	snprintf(command, sizeof(command), "modprobe -q -n %s", name_and_parameters);
	if (system(command))
		return false;
	snprintf(command, sizeof(command), "modprobe %s", name_and_parameters);
	if (system(command))
		print_error("%s failed\n", command);
	return true;
}

/* Opens the first of the device nodes that @is_it. */
static int open_node(const char *nodes, bool (*is_it)(int fd))
{
	glob_t found;
	int fd = -1;

	if (glob(nodes, 0, NULL, &found))
		fail_msg("no %s", nodes);
	for (size_t i = 0; fd < 0 && i < found.gl_pathc; i++) {
		fd = open(found.gl_pathv[i], O_RDWR | O_CLOEXEC);
		if (fd >= 0 && !is_it(fd)) {
			close(fd);
			fd = -1;
		}
	}
	globfree(&found);
	if (fd < 0)
		fail_msg("none of %s is it", nodes);
	return fd;
}

/* DRM */

static bool is_vgem(int fd)
{
	char name[8] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	return !ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "vgem");
}

int vgem_open(void)
{
	return open_node("/dev/dri/card*", is_vgem);
}

int vgem_import(int drm, int buf, uint32_t *handle)
{
	struct drm_prime_handle prime = { .fd = buf };
	int ret = ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime) ? errno : 0;

	*handle = prime.handle;
	return ret;
}

uint32_t vgem_handle(int drm, int buf)
{
	uint32_t handle;

	assert_int_equal(vgem_import(drm, buf, &handle), 0);
	return handle;
}

int vgem_export(int drm, uint32_t handle)
{
	struct drm_prime_handle prime = { .handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR };

	assert_return_code(ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), errno);
	return prime.fd;
}

void vgem_drop(int drm, uint32_t handle)
{
	struct drm_gem_close gem = { .handle = handle };

	assert_return_code(ioctl(drm, DRM_IOCTL_GEM_CLOSE, &gem), errno);
}

uint32_t vgem_create(int drm, size_t len)
{
	struct drm_mode_create_dumb dumb = { .width = PAGE, .height = len / PAGE, .bpp = 8 };

	assert_return_code(ioctl(drm, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), errno);
	assert_int_equal(dumb.size, len);
	return dumb.handle;
}

int vgem_offset(int drm, uint32_t handle, off_t *offset)
{
	struct drm_mode_map_dumb dumb = { .handle = handle };

	if (ioctl(drm, DRM_IOCTL_MODE_MAP_DUMB, &dumb))
		return errno;
	*offset = (off_t)dumb.offset;
	return 0;
}

int vgem_buffer(int drm, size_t len, uint32_t *handle, char **addr)
{
	off_t offset = 0;

	*handle = vgem_create(drm, len);
	assert_int_equal(vgem_offset(drm, *handle, &offset), 0);
	*addr = map_shared(drm, len, RW, offset);
	return vgem_export(drm, *handle);
}

off_t vgem_next_offset(int drm, size_t len)
{
	uint32_t handle = vgem_create(drm, len);
	off_t offset = 0;

	assert_int_equal(vgem_offset(drm, handle, &offset), 0);
	vgem_drop(drm, handle);
	return offset;
}

/* V4L2 */

#define WIDTH	320	/* of CAMERA_FRAME */
#define HEIGHT	180

static bool is_vivid(int fd)
{
	struct v4l2_capability cap;

	return !ioctl(fd, VIDIOC_QUERYCAP, &cap) && !strcmp((char *)cap.driver, "vivid") &&
	       (cap.device_caps & V4L2_CAP_VIDEO_CAPTURE);
}

static void camera_ioctl(int camera, unsigned long request, const char *name, void *arg)
{
	if (ioctl(camera, request, arg))
		fail_msg("%s: %s", name, strerror(errno));
}

#define CAMERA(camera, request, arg)	camera_ioctl(camera, request, #request, arg)

/* The driver writes the time into the picture unless told otherwise. */
static void camera_no_text(int camera)
{
	struct v4l2_queryctrl query = { .id = V4L2_CTRL_FLAG_NEXT_CTRL };
	struct v4l2_control control = { 0 };

	while (!control.id && !ioctl(camera, VIDIOC_QUERYCTRL, &query)) {
		if (!strcmp((char *)query.name, "OSD Text Mode"))
			control = (struct v4l2_control){ .id = query.id, .value = query.maximum };
		query.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	}
	assert_int_not_equal(control.id, 0);
	CAMERA(camera, VIDIOC_S_CTRL, &control);
}

int camera_open(void)
{
	int camera = open_node("/dev/video*", is_vivid);
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = {
			.width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_YUYV,
			.field = V4L2_FIELD_NONE,
		},
	};
	struct v4l2_streamparm rate = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.parm.capture.timeperframe = { 1, 50 },
	};

	CAMERA(camera, VIDIOC_S_FMT, &format);
	assert_int_equal(format.fmt.pix.sizeimage, CAMERA_FRAME);
	assert_int_equal(format.fmt.pix.pixelformat, V4L2_PIX_FMT_YUYV);
	CAMERA(camera, VIDIOC_S_PARM, &rate);
	camera_no_text(camera);
	return camera;
}

void camera_buffers(int camera, enum v4l2_memory memory, unsigned int count)
{
	struct v4l2_requestbuffers buffers = {
		.count = count, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = memory,
	};

	CAMERA(camera, VIDIOC_REQBUFS, &buffers);
	assert_int_equal(buffers.count, count);
}

void camera_stream(int camera, bool on)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	if (on)
		CAMERA(camera, VIDIOC_STREAMON, &type);
	else
		CAMERA(camera, VIDIOC_STREAMOFF, &type);
}

int camera_queue(int camera, unsigned int index, int buf)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_DMABUF,
		.index = index, .m.fd = buf,
	};

	return ioctl(camera, VIDIOC_QBUF, &buffer) ? errno : 0;
}

unsigned int camera_frame(int camera, enum v4l2_memory memory)
{
	struct pollfd ready = { .fd = camera, .events = POLLIN };
	struct v4l2_buffer buffer = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = memory };

	assert_int_equal(poll(&ready, 1, 20000), 1);
	CAMERA(camera, VIDIOC_DQBUF, &buffer);
	assert_int_equal(buffer.flags & V4L2_BUF_FLAG_ERROR, 0);
	assert_int_equal(buffer.bytesused, CAMERA_FRAME);
	return buffer.index;
}

unsigned char camera_expected[CAMERA_FRAME];
unsigned char camera_sentinels[2];

void camera_expect(int camera)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP,
	};
	char *map;
	size_t n = 0;

	camera_buffers(camera, V4L2_MEMORY_MMAP, 2);
	buffer.index = 1;
	CAMERA(camera, VIDIOC_QBUF, &buffer);
	buffer.index = 0;
	CAMERA(camera, VIDIOC_QBUF, &buffer);
	map = map_shared(camera, buffer.length, RW, (off_t)buffer.m.offset);
	camera_stream(camera, true);
	while (camera_frame(camera, V4L2_MEMORY_MMAP) != 0)
		;
	memcpy(camera_expected, map, CAMERA_FRAME);
	camera_stream(camera, false);
	release(map, buffer.length);
	camera_buffers(camera, V4L2_MEMORY_MMAP, 0);

	for (int byte = 0; n < ARRAY_SIZE(camera_sentinels) && byte < 256; byte++)
		if (!memchr(camera_expected, byte, CAMERA_FRAME))
			camera_sentinels[n++] = (unsigned char)byte;
	assert_int_equal(n, ARRAY_SIZE(camera_sentinels));
}

size_t camera_place(unsigned int index)
{
	return index * MIB + (index % 2 ? 3 * PAGE : 0);
}

int camera_pin(const char *addr, unsigned int index)
{
	return pin(addr + camera_place(index), CAMERA_ROOM, PHYR_PIN_WRITE);
}

bool camera_all_are(const char *from, const char *to, unsigned char byte)
{
	while (from < to)
		if ((unsigned char)*from++ != byte)
			return false;
	return true;
}

void camera_check(const char *addr, size_t len, unsigned char sentinel)
{
	const char *rest = addr;

	for (unsigned int i = 0; i < CAMERA_BUFFERS; i++) {
		const char *frame = addr + camera_place(i);

		assert_true(camera_all_are(rest, frame, sentinel));
		assert_memory_equal(frame, camera_expected, CAMERA_FRAME);
		rest = frame + CAMERA_FRAME;
	}
	assert_true(camera_all_are(rest, addr + len, sentinel));
}

void camera_capture(int camera, char *addr, size_t len, unsigned char sentinel)
{
	int regions[CAMERA_BUFFERS];

	memset(addr, sentinel, len);
	camera_buffers(camera, V4L2_MEMORY_DMABUF, CAMERA_BUFFERS);
	for (unsigned int i = 0; i < CAMERA_BUFFERS; i++) {
		regions[i] = camera_pin(addr, i);
		assert_int_equal(camera_queue(camera, i, regions[i]), 0);
	}
	camera_stream(camera, true);
	for (unsigned int n = 0; n < 2 * CAMERA_BUFFERS; n++) {
		unsigned int i = camera_frame(camera, V4L2_MEMORY_DMABUF);

		assert_memory_equal(addr + camera_place(i), camera_expected, CAMERA_FRAME);
		memset(addr + camera_place(i), sentinel, CAMERA_FRAME);
		assert_int_equal(camera_queue(camera, i, regions[i]), 0);
	}
	for (unsigned int i = 0; i < CAMERA_BUFFERS; i++)
		close(regions[i]);		/* the driver holds them */
	for (unsigned int n = 0; n < CAMERA_BUFFERS; n++)
		camera_frame(camera, V4L2_MEMORY_DMABUF);
	camera_check(addr, len, sentinel);
	camera_stream(camera, false);
	camera_buffers(camera, V4L2_MEMORY_DMABUF, 0);
}
