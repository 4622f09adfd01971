"""Published settings of trajectory matching, as tables.

Epochs, labels and pixels are written as papers and repositories have them: N inner steps, M expert epochs, start epochs
from T- up to T+, T+ excluded. ``-`` is "not given", for batch: the whole set.
"""

import re

FTD = """
setting                N  M  T+  batch  image_lr  student_lr  student_lr_lr  zca  alpha  ema
cifar10-ipc1          50  2   2      -       100        0.01           1e-7  yes    0.3  0.9999
cifar10-ipc10         30  2  20      -       100       0.001           1e-5  yes    0.3  0.9995
cifar10-ipc50         30  2  40      -      1000        0.01           1e-5   no      1  0.999
cifar100-ipc1         40  3  20      -      1000        0.01           1e-5  yes      1  0.9995
cifar100-ipc10        20  2  40      -      1000        0.01           1e-5  yes      1  0.9995
cifar100-ipc50        80  2  40   1000      1000        0.01           1e-5  yes      1  0.999
tiny-imagenet-ipc1    30  2  10      -     10000        0.01           1e-4   no      1  0.999
tiny-imagenet-ipc10   20  2  40    500     10000        0.01           1e-4   no      1  0.999
imagenet-subset-ipc1  20  2  10     64     10000        0.01           1e-4   no      1  0.999
imagenet-subset-ipc10 20  2  10     64     10000        0.01           1e-4   no      1  0.999
"""

TESLA = """
setting           N  M  T+  batch  image_lr  student_lr  student_lr_lr  zca  experts  labels
cifar10-ipc1     50  2   5      -      1000        0.01           1e-7   no      100  hard
cifar100-ipc50   80  2  40    125      1000        0.01           1e-5  yes      100  hard
imagenet1k-ipc1  10  3  10    100     10000        0.01           1e-4   no       50  target
"""

DATM = """
setting                N  M  T-  T+  grows  within  batch  image_lr  student_lr_lr  label_lr  threshold  init
cifar10-ipc1          80  2   0   4      -       -     10       100           1e-7         5        1.1  correct
cifar10-ipc10         80  2   0  20     10    1000    100       100           1e-5         2          1  correct
cifar10-ipc50         80  2   0  40     20    2000    500      1000           1e-5         2          1  correct
cifar10-ipc500        40  2  40  60      -       -   1000        50           1e-5        10          1  correct
cifar10-ipc1000      100  2  40  60      -       -   1000        50           1e-5        10          1  correct
cifar100-ipc1         40  3   0  20     10    1000   1000      1000           1e-5        10          1  correct
cifar100-ipc10        80  2   0  50     30    2000   1000      1000           1e-5        10          1  correct
cifar100-ipc50        80  2  20  70      -       -   1000      1000           1e-5        10          1  real
cifar100-ipc100       80  2  30  70      -       -   1000        50           1e-5        10          1  correct
tiny-imagenet-ipc1    40  2   0  20     15    2000   1000     10000           1e-4        10          1  correct
tiny-imagenet-ipc10   40  2  10  50      -       -    500       100           1e-4        10          1  correct
tiny-imagenet-ipc50   20  2  40  70      -       -   1000       100           1e-4        10          1  correct
"""

AST = """
setting              N  M  T+  batch  image_lr  student_lr_lr  zca          init    perturb         match  balanced
cifar100-ipc1       40  3  15      -       100           1e-5   no  representative        1  intermediate        no
cifar100-ipc10      20  2  30    128      1000           1e-5   no  representative        1  intermediate        no
cifar100-ipc50      80  2  40    700      1000           1e-5   no  representative        0         final        no
cifar10-ipc10       30  2  20      -       100           1e-6  yes            real        1  intermediate       yes
tiny-imagenet-ipc1  10  2  10      -     10000           1e-4   no            real        1  intermediate        no
"""

ATT = """
setting                N  M  T+  batch  image_lr  student_lr  student_lr_lr  zca  ema     iterations
cifar10-ipc1          80  4   2      -       100        0.01           1e-7  yes  0.9999        6000
cifar10-ipc10         30  2  20      -     10000        0.01           1e-4  yes  0.9999       60000
cifar10-ipc50         50  2  40      -       100       0.001           1e-5   no  0.999      1000000
cifar100-ipc1         50  4  20      -       500        0.01           1e-5  yes  0.9995        3000
cifar100-ipc10        20  2  40      -      1000        0.01           1e-5   no  0.9995      200000
cifar100-ipc50        80  2  40   1200      1000        0.01           1e-5  yes  0.999       100000
tiny-imagenet-ipc1    30  2  10      -     10000        0.01           1e-4   no  0.999        10000
tiny-imagenet-ipc10   20  2  40      -     10000       0.001           1e-6   no  0.999        80000
imagenet-subset-ipc1  20  2  10      -     10000        0.01           5e-8   no  0.9999       10000
imagenet-subset-ipc10 20  2  10      -     10000        0.01           1e-4   no  0.999       100000
"""

PAD = """
setting                N  M  T-  T+  grows  within  batch  image_lr  student_lr_lr  label_lr  threshold  init     drop
cifar10-ipc1          80  2   0   4      -       -   1000       100           1e-7         5        1.1  correct  0
cifar10-ipc10         80  2   0  20     10    1000    500       100           1e-5         2          1  correct  0.5
cifar10-ipc50         80  3   0  40     20    2000   1000      1000           1e-5         2          1  correct  0.25
cifar10-ipc500        40  2  40  70     60    2000   1000        50           1e-5        10          1  correct  0.5
cifar10-ipc1000      100  2  40  60      -       -   1000        50           1e-5        10          1  correct  0.5
cifar100-ipc1         40  3   0  30     20    1000   1000      1000           1e-5        10          1  correct  0.5
cifar100-ipc10        80  2   0  50     30    2000   1000      1000           1e-5        10          1  correct  0.5
cifar100-ipc50        80  2  20  70      -       -   1000      1000           1e-5        10          1  real     0
cifar100-ipc100       80  2  30  70      -       -   1000        50           1e-5        10          1  correct  0.5
tiny-imagenet-ipc1    40  2   0  20     15    2000   1000     10000           1e-4        10          1  correct  0.5
tiny-imagenet-ipc10   40  2  10  50      -       -    500       100           1e-4        10          1  correct  0.5
tiny-imagenet-ipc50   20  2  40  70      -       -   1000       100           1e-4        10          1  correct  0.5
"""


def cell(text):
    if text in ("-", "yes", "no"):
        return {"-": None, "yes": True, "no": False}[text]
    return float(text) if re.fullmatch(r"[0-9.e-]+", text) else text


def table(method, text):
    head, *lines = (line.split() for line in text.strip().splitlines())
    return {f"{method}-{line[0]}": dict(zip(head[1:], map(cell, line[1:]), strict=True)) for line in lines}


PUBLISHED = {**table("ftd", FTD), **table("tesla", TESLA), **table("datm", DATM), **table("ast", AST)}
PUBLISHED |= {**table("att", ATT), **table("pad", PAD)}
