# SPDX-License-Identifier: Apache-2.0
# How a board that was updated by SWUpdate may boot: the partition's number in rpipart, U-Boot's
# boot counter, and an altbootcmd in the environment that goes to the other slot.
test -n "${rpipart}" || setenv rpipart 2
setenv bootargs "${bootargs} root=/dev/mmcblk0p${rpipart}"
echo "Booting partition ${rpipart}"
if load mmc 0:${rpipart} ${kernel_addr_r} /boot/Image; then
	if load mmc 0:${rpipart} ${ramdisk_addr_r} /boot/initrd.gz; then
		booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
	fi
fi
reset
