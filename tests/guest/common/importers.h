/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Drivers of the kernel's own that import dma-bufs, as programs use them: DRM's
 * vgem, by PRIME, and V4L2's vivid, a camera, by DMABUF buffers. What goes wrong
 * fails the test.
 */
#ifndef IMPORTERS_H
#define IMPORTERS_H

#include <linux/videodev2.h>

#include "fixture.h"

#define VGEM	"vgem"
#define VIVID	"vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0 no_error_inj=1"

/*
 * Loads such a driver, named with its parameters: true if this kernel has the module;
 * whether it could be loaded is for the tests to see.
 */
bool importer_load(const char *name_and_parameters);

/* DRM: objects have handles. */

int vgem_open(void);

/* A handle of a dma-buf; 0 or an errno. */
int vgem_import(int drm, int buf, uint32_t *handle);
uint32_t vgem_handle(int drm, int buf);

/* A dma-buf of a handle. */
int vgem_export(int drm, uint32_t handle);
void vgem_drop(int drm, uint32_t handle);

/* An object of vgem's own. */
uint32_t vgem_create(int drm, size_t len);

/* The same as a dma-buf, and mapped at @addr. */
int vgem_buffer(int drm, size_t len, uint32_t *handle, char **addr);

/* Where in DRM's file an object can be mapped, if it is one of its own; 0 or an errno. */
int vgem_offset(int drm, uint32_t handle, off_t *offset);

/*
 * DRM tells nobody at which offset of its file an imported object can be mapped, but
 * there is one: that of an object of the same size which was there just before.
 */
off_t vgem_next_offset(int drm, size_t len);

/* V4L2: frames of one picture, into memory of the program. */

#define CAMERA_FRAME	(320 * 180 * 2ul)
#define CAMERA_ROOM	((CAMERA_FRAME + PAGE - 1) / PAGE * PAGE)
#define CAMERA_BUFFERS	4u

int camera_open(void);
void camera_buffers(int camera, enum v4l2_memory memory, unsigned int count);
void camera_stream(int camera, bool on);

/* Gives buffer @index to the driver, for a frame in @buf; 0 or an errno. */
int camera_queue(int camera, unsigned int index, int buf);

/* Waits for a frame, of which there is all; gives its buffer's index. */
unsigned int camera_frame(int camera, enum v4l2_memory memory);

/*
 * A frame in memory of the driver's own, as all frames should be; and two bytes not in
 * it. camera_expect() gets them.
 */
extern unsigned char camera_expected[CAMERA_FRAME];
extern unsigned char camera_sentinels[2];
void camera_expect(int camera);

/*
 * Where buffer @index is in memory of CAMERA_BUFFERS MiB, not always at the edge of a
 * huge page; and a region of it, in whole pages.
 */
size_t camera_place(unsigned int index);
int camera_pin(const char *addr, unsigned int index);

/* Are the bytes of [from, to) all the same? */
bool camera_all_are(const char *from, const char *to, unsigned char byte);

/* All of each frame was written, and nothing else, which was @sentinel before. */
void camera_check(const char *addr, size_t len, unsigned char sentinel);

/* Has frames captured into each place, again and again, and checks them all. */
void camera_capture(int camera, char *addr, size_t len, unsigned char sentinel);

#endif
