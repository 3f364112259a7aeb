"""What xorriso 1.4 and 1.5 said of real drives and media (`xorriso -outdev /dev/sr0 -toc`), as people showed it."""

from __future__ import annotations

NO_MEDIUM = """\
Drive current: -outdev '/dev/sr0'
Drive type   : vendor 'TSSTcorp' product 'DVD+-RW TS-L633J' revision 'D400'
Drive id     : 'R8126GNB467326  '
Media current: is not recognizable
Media status : is not present
"""
UNRECOGNIZABLE = """\
Media current: is not recognizable
Media status : is not recognizable
"""
NO_DRIVE = """\
libburn : FAILURE : File object '/dev/sr0' not found
libburn : FAILURE : Cannot access '/dev/sr0' as SG_IO CDROM drive
xorriso : FAILURE : Cannot acquire drive '/dev/sr0'
xorriso : aborting : -abort_on 'FAILURE' encountered 'FAILURE'
"""
BLANK_CDR = """\
Media current: CD-R
Media product: 97m34s23f/79m59s73f , Mitsubishi Chemical Corporation
Media status : is blank
Media blocks : 0 readable , 359846 writable , 359846 overall
Media summary: 0 sessions, 0 data blocks, 0 data,  703m free
"""
BLANK_CDRW = """\
Drive current: -outdev '/dev/sr0'
Media current: CD-RW
Media product: 97m27s29f/79m59s74f , Princo Corporation
Media status : is blank
Media blocks : 0 readable , 359847 writable , 359847 overall
Media summary: 0 sessions, 0 data blocks, 0 data,  703m free
"""
USED_CDRW = """\
xorriso : NOTE : Disc status unsuitable for writing
Drive current: -outdev '/dev/sr0'
Media current: CD-RW
Media status : is written , is closed
Media summary: 1 session, 157156 data blocks,  307m data,     0 free
Media current: CD-RW
Media product: 97m26s66f/79m59s71f , CMC Magnetics Corporation
Media status : is written , is closed
Media blocks : 157156 readable , 0 writable , 359844 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
ISO session  :   1 ,         0 ,    157004s , BACKUP
Media summary: 1 session, 157156 data blocks,  307m data,     0 free
"""
BLANK_DVD_PLUS_R = """\
xorriso 1.4.2 : RockRidge filesystem manipulator, libburnia project.

Drive current: -outdev '/dev/sr0'
Media current: DVD+R
Media status : is blank
Media summary: 0 sessions, 0 data blocks, 0 data, 4483m free
Drive current: -outdev '/dev/sr0'
Drive type   : vendor 'TSSTcorp' product 'DVD+-RW TS-L633J' revision 'D400'
Drive id     : 'R8126GNB467326  '
Media current: DVD+R
Media product: AML/003/48 , UML
Media status : is blank
Media blocks : 0 readable , 2295104 writable , 2295104 overall
Media summary: 0 sessions, 0 data blocks, 0 data, 4483m free
"""
BROKEN_DVD_PLUS_R = """\
xorriso : NOTE : Disc status unsuitable for writing
Drive current: -outdev '/dev/sr1'
Media current: DVD+R
Media product: AML/003/48 , UML
Media status : is written , is closed
Media blocks : 0 readable , 0 writable , 0 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
xorriso : SORRY : Cannot obtain Table Of Content
xorriso : NOTE : Tolerated problem event of severity 'SORRY'
"""
APPENDABLE_DVD_PLUS_R = """\
Drive current: -outdev '/dev/sr0'
Drive type   : vendor 'TSSTcorp' product 'CDDVDW SE-S084F' revision 'TS00'
Drive id     : 'R8AF6GXB500424  '
Media current: DVD+R
Media product: CMC_MAG/M01/48 , CMC Magnetics Corporation
Media status : is written , is appendable
Media blocks : 1 readable , 36416 writable , 2295104 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
xorriso : SORRY : Cannot obtain Table Of Content
"""
APPENDABLE_DVD_RW = """\
Media current: DVD-RW sequential recording
Media product: RITEKW04 , Ritek Corp
Media status : is written , is appendable
Media blocks : 145680 readable , 2123520 writable , 2298496 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
ISO session  :   1 ,         0 ,    131591s , PBOOT
Media summary: 1 session, 145680 data blocks,  285m data, 4148m free
Media nwa    : 174368s
"""
CLOSED_DVD = """\
Media current: DVD-ROM
Media status : is written , is closed
Media blocks : 1079787 readable , 0 writable , 1079787 overall
"""
# As libisoburn's own source writes them; no recording was found.
AUDIO_CD = """\
Media current: CD-R
Media status : is written , is closed
Media blocks : 268313 readable , 0 writable , 268313 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
Other session:   1 ,         0 ,     15213s ,
Other track  :   2 ,     15213 ,    253100s ,
Media summary: 1 session, 0 data blocks,     0 data,     0 free
"""
TWO_SESSIONS = """\
Media current: DVD+R
Media status : is written , is appendable
Media blocks : 52816 readable , 2240240 writable , 2295104 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
ISO session  :   1 ,         0 ,     20216s , FIRST
ISO session  :   2 ,     32592 ,     20224s , SECOND
Media summary: 2 sessions, 40440 data blocks, 79.0m data, 4375m free
"""


def toc_of(name: str, sectors: int, status: str = "is blank", written: int = 0) -> str:
    """The same for any other medium: xorriso's own words with these in them."""
    writable = sectors if status.startswith("is blank") else 0
    blocks = f"Media blocks : {written} readable , {writable} writable , {sectors} overall\n"
    return f"Drive current: -outdev '/dev/sr0'\nMedia current: {name}\nMedia status : {status}\n{blocks}"
