# SPDX-License-Identifier: Apache-2.0
# How a board that was updated by Mender boots: the partition's number in mender_boot_part, once more in
# hexadecimal for U-Boot's own commands, U-Boot's boot counter, and an altbootcmd in the environment.
# The hexadecimal one is made here (below ten it is the same number): docs/bootloader.md, "Coming from
# another updater".
setenv mender_boot_part_hex ${mender_boot_part}
setenv mender_kernel_root /dev/mmcblk0p${mender_boot_part}
setenv bootargs "${bootargs} root=${mender_kernel_root}"
echo "Booting partition ${mender_boot_part}"
load mmc 0:${mender_boot_part_hex} ${kernel_addr_r} /boot/Image && load mmc 0:${mender_boot_part_hex} ${ramdisk_addr_r} /boot/initrd.gz && booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
reset
