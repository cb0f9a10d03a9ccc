# SPDX-License-Identifier: Apache-2.0
# How a board that was updated by Mender boots: the partition's number in mender_boot_part, once
# more in hexadecimal for U-Boot's own commands, U-Boot's boot counter, and an altbootcmd in the
# environment. The next line is not Mender's: it has to be added for vv-update, which writes the
# first number only, see docs/bootloader.md, "Coming from another updater". Below ten both are the
# same.
setenv mender_boot_part_hex ${mender_boot_part}
setenv mender_kernel_root /dev/mmcblk0p${mender_boot_part}
setenv bootargs "${bootargs} root=${mender_kernel_root}"
echo "Booting partition ${mender_boot_part}"
if load mmc 0:${mender_boot_part_hex} ${kernel_addr_r} /boot/Image; then
	if load mmc 0:${mender_boot_part_hex} ${ramdisk_addr_r} /boot/initrd.gz; then
		booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
	fi
fi
reset
