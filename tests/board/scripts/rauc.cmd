# SPDX-License-Identifier: Apache-2.0
# How a board that was updated by RAUC boots: the variables of RAUC's example script, its marker in
# the kernel command line, and attempts that come back to every slot when none is left.
test -n "${BOOT_ORDER}" || setenv BOOT_ORDER A B
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT 3
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT 3

setenv raucslot
for BOOT_SLOT in ${BOOT_ORDER}; do
	if test "x${raucslot}" != "x"; then
		echo "slot found"
	elif test "x${BOOT_SLOT}" = "xA"; then
		if test 0x${BOOT_A_LEFT} -gt 0; then
			setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1
			setenv bootpart 2
			setenv raucslot A
		fi
	elif test "x${BOOT_SLOT}" = "xB"; then
		if test 0x${BOOT_B_LEFT} -gt 0; then
			setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1
			setenv bootpart 3
			setenv raucslot B
		fi
	fi
done

if test -n "${raucslot}"; then
	setenv bootargs "${default_bootargs} root=/dev/mmcblk0p${bootpart} rauc.slot=${raucslot}"
	saveenv
else
	echo "No valid slot found, resetting tries to 3"
	setenv BOOT_A_LEFT 3
	setenv BOOT_B_LEFT 3
	saveenv
	reset
fi

echo "Booting slot ${raucslot}"
if load mmc 0:${bootpart} ${kernel_addr_r} /boot/Image; then
	if load mmc 0:${bootpart} ${ramdisk_addr_r} /boot/initrd.gz; then
		booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
	fi
fi
reset
