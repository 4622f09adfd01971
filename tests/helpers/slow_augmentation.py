"""Every family of augmentation again, one image at a time and by its definition: the oracle of the fast ones."""

import math

import torch


def rng(seed):
    return torch.Generator().manual_seed(seed)


def drawn_images(seed, size, channels=3, batch=4):
    return torch.randn(batch, channels, size, size, generator=rng(seed), dtype=torch.float64)


# One image and Python numbers at a time, straight from the definitions.


def slow_color(image, brightness, saturation, contrast):
    image = image + brightness
    gray = sum(image[c] for c in range(len(image))) / len(image)
    image = torch.stack([(channel - gray) * saturation + gray for channel in image])
    mean = float(image.sum()) / image.numel()
    return (image - mean) * contrast + mean


def slow_crop(image, down, right):
    channels, height, width = image.shape
    result = torch.zeros_like(image)
    for r in range(height):
        for c in range(width):
            if 0 <= r + down < height and 0 <= c + right < width:
                result[:, r, c] = image[:, r + down, c + right]
    return result


def slow_cutout(image, row, column):
    height, width = image.shape[1:]
    side = int(0.5 * height + 0.5)
    result = image.clone()
    for i in range(side):
        for j in range(side):
            r = min(max(row - side // 2 + i, 0), height - 1)
            c = min(max(column - side // 2 + j, 0), width - 1)
            result[:, r, c] = 0
    return result


def slow_flip(image, flipped):
    return torch.stack([channel[:, list(reversed(range(image.shape[2])))] for channel in image]) if flipped else image


def slow_affine(image, xx, xy, yx, yy):
    size = image.shape[1]
    half = (size - 1) / 2
    result = torch.zeros_like(image)
    for r in range(size):
        for c in range(size):
            x, y = (c - half) / half, (r - half) / half
            column, row = (xx * x + xy * y) * half + half, (yx * x + yy * y) * half + half
            for near_row in (math.floor(row), math.floor(row) + 1):
                for near_column in (math.floor(column), math.floor(column) + 1):
                    if 0 <= near_row < size and 0 <= near_column < size:
                        weight = (1 - abs(row - near_row)) * (1 - abs(column - near_column))
                        result[:, r, c] += weight * image[:, near_row, near_column]
    return result


def slow_scale(image, horizontal, vertical):
    return slow_affine(image, horizontal, 0, 0, vertical)


def slow_rotate(image, degrees):
    angle = math.radians(degrees)
    return slow_affine(image, math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle))


SLOW = {
    "color": slow_color,
    "crop": slow_crop,
    "cutout": slow_cutout,
    "flip": slow_flip,
    "scale": slow_scale,
    "rotate": slow_rotate,
}


def slow_dc(image, family, number, mean, overall):
    size = image.shape[1]
    if family == "crop":
        padded = mean[:, None, None].expand(-1, size + 8, size + 8).clone()
        padded[:, 4 : 4 + size, 4 : 4 + size] = image
        top, left = number[0] + 4, number[1] + 4
        return padded[:, top : top + size, left : left + size]
    if family == "scale":
        height, width = number
        longest = max(height, width, size)
        canvas = torch.zeros(len(image), longest, longest, dtype=image.dtype)
        top, left = (longest - height) // 2, (longest - width) // 2
        for i in range(height):
            for j in range(width):
                canvas[:, top + i, left + j] = image[:, i * size // height, j * size // width]
        start = (longest - size) // 2
        return canvas[:, start : start + size, start : start + size]
    if family == "rotate":
        return slow_rotate(image - overall, number) + overall
    return image + torch.tensor(number, dtype=image.dtype)[: len(image)]
